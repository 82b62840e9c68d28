"""What looks like an identity wherever it stands: patterns over folded text (see cleaner.fold: lower case, no accents).

Each pattern is linear: no repetition within a repetition can match the same characters twice. A pattern says what is
taken out; what introduces it ("patient:", "referred by") goes with it.
"""

from __future__ import annotations

import re
from typing import Final

_MONTH: Final = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|fevrier|mar(?:ch|z|s)?|maerz|apr(?:il)?|avril|may|mai|june?|juni|juin"
    r"|july?|juli|juillet|aug(?:ust)?|aout|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?"
    r"|de[cz](?:ember|embre)?)"
)
_NOT_IN_NUMBER: Final = r"(?<![0-9.])"
_NO_MORE_NUMBER: Final = r"(?![0-9]|\.[0-9])"
_WORD: Final = r"[^\W\d_][\w'-]*"

PATTERNS: Final[tuple[str, ...]] = (
    # Addresses of the net
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",
    r"(?:https?|ftp|file)://\S+|\bwww\.\S+",
    r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])",
    # UIDs, and what has as many components
    r"(?<![\d.])\d{1,39}(?:\.\d{1,39}){4,}(?![\d])",
    # Dates: numeric in every order, with month names, compact
    _NOT_IN_NUMBER + r"(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ](?:0?[1-9]|[12]\d|3[01])" + _NO_MORE_NUMBER,
    _NOT_IN_NUMBER + r"(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:(?:19|20)?\d\d)" + _NO_MORE_NUMBER,
    r"(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{6})?(?!\d)",
    rf"\b(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.)?[ -]?{_MONTH}\.?,?[ -]?(?:(?:19|20)\d\d|'?\d\d)\b",
    rf"\b{_MONTH}\.?[ -](?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?,?[ -](?:19|20)\d\d\b",
    rf"\b{_MONTH}\.?[ -](?:19|20)\d\d\b",
    r"(?<![\d.:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?[ap]m\b)?(?![\d.:])",
    # Ages above 89: told below that they are not told
    r"\b(?:9\d|1[0-4]\d)[ -]?(?:y/?o|yrs?|years?(?:[ -]old)?|jahre?|j\.|ans)(?![a-z])",
    # Telephone numbers and other long numbers, with or without separators
    r"(?<![\w.])\+\d[\d ()/.-]{5,24}\d(?!\w)",
    r"\b(?:tel|phone|fon|fax|mobil|mobile|cell|pager|telefon|ph)\b\.?:?\s?[+\d(][\d ()/.-]{3,24}\d",
    r"(?<![\w.])\(?\d{2,5}\)?[ /-]\d{3,4}[ /-]?\d{3,5}(?![\w.])",
    r"(?<![\w.,])\d{4,}[ -]\d{4,}(?![\w.])",
    r"(?<![\w.,])\d{5,}(?![.,]?\d)",
    # Letters and at least four digits: a record number, and no b-value, TR or the like
    r"(?<![\w])(?!(?:b|tr|te|ti|fa|sl|se|im|kv|ma|hu|ww?|wl|l)\d{1,5}(?!\w))(?=[\w-]{5,40}(?![\w-]))(?=[^\W_]*[a-z])(?:[a-z]{0,8}[-_]?\d{4,}[\w-]*|[\w]{1,8}-\d{2,}-\d{2,}[\w-]*)",
    r"\b\d{3}-\d{2}-\d{4}\b",
    # Streets and towns
    rf"\b{_WORD}(?:strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer)\s?\d{{1,4}}[a-z]?\b",
    rf"\b\d{{1,5}}\s{_WORD}(?:\s{_WORD})?\s(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|court|ct)\b\.?",
    rf"\b\d{{1,4}},?\s(?:rue|avenue|place|boulevard)\s(?:de\s|du\s|la\s|des\s)*{_WORD}",
)
# People: what introduces a name. Looked for in the text as written, because a name begins with a capital letter.
_NAME: Final = r"[^\W\d_a-zß-öø-ÿ][\w'’-]*\.?"
_TITLE: Final = (
    r"(?:[Dd]r|DR|[Pp]rof|PROF|[Mm]rs?|MRS?|[Mm]s|MS|[Mm]iss|MISS|[Hh]err|HERR|[Ff]rau|FRAU|[Mm]me|MME|[Mm]lle"
    r"|[Ss]chwester|[Pp]fleger|[Nn]urse|NURSE|[Mm]onsieur|[Mm]adame|PD)"
)
_REFERRED: Final = r"(?:[Rr]ef(?:erred|erring|\.)?(?: [Pp]hys(?:ician|\.)?)?|REF(?:ERRED|\.)?)"
_DONE_BY: Final = (
    rf"(?:{_REFERRED} (?:by|BY)|(?:[Rr]equested|[Oo]rdered|[Rr]ead|[Dd]ictated|[Ss]igned|[Pp]erformed|[Aa]sked for) by)"
)
_ROLE: Final = (
    rf"(?:{_DONE_BY}|{_REFERRED}|[Pp]atient(?:'s|in)?(?: [Nn]ame)?|PATIENT(?: NAME)?|[Pp]t\.?|[Nn]ame|NAME"
    r"|[Pp]hysician|PHYSICIAN|[Tt]echnologist|[Tt]ech|TECH|[Oo]perator|OPERATOR|[Rr]adiologist|MTRA|MTA|[Aa]rzt"
    r"|[Zz]uweiser|[Üü]berweiser|[Mm]other|[Ff]ather|[Dd]aughter|[Ss]on|[Ww]ife|[Hh]usband|[Kk]nown as|[Aa]ka)"
)
PEOPLE: Final = (
    rf"(?<!\w){_TITLE}\.?(?:\s(?:med|rer|nat|phil|h|c|habil|{_TITLE})\.?){{0,6}}\s{_NAME}(?:[ ,]{{1,2}}{_NAME}){{0,2}}",
    rf"(?<!\w){_ROLE}\s?[:=]\s?{_NAME}(?:[ ,^]{{1,2}}{_NAME}){{0,3}}",
    rf"(?<!\w){_DONE_BY}\s{_NAME}(?:[ ,]{{1,2}}{_NAME}){{0,2}}",
    rf"(?<!\w){_NAME}\^{_NAME}(?:\^[\w.-]*)*",
)
LOOKS_LIKE: Final = re.compile("|".join(f"(?:{each})" for each in PATTERNS))
LOOKS_LIKE_SOMEBODY: Final = re.compile("|".join(f"(?:{each})" for each in PEOPLE))
