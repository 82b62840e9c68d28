"""AIM (PS3.21) as data: names of its statements, enumerations, code maps, mapping rows, what is lost and why."""
