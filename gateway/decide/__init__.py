"""An object's facts and the rules of a file -> what is to be done with it. Pure: no socket, no disk, no clock.

    facts       what may be asked of an object            paths       how an attribute is named
    values      text of a value -> something to compare   predicates  the table of what can be asked
    patterns    `re` in linear time, `like`               tree        all / any / not, with a third answer: unknown
    routes      routes in order -> a Decision             explain     the same, told predicate by predicate
    check       problems of `match` at load               cases       the tests that a file carries
    again       what is left to do with what came before

* Everything that can be wrong with a rule is told when the file is loaded, with its line and column.
* Everything that goes wrong when a rule meets an object holds the object. Nothing counts as "no match" by accident.
"""
