"""Pure functions over DICOM data sets: values in, values out.

No socket, no disk, no clock, no random number: what a transform needs of the world is handed to it.
Transforms read a ByteSource and return an EditPlan (transforms/source.py), which the shell executes.
"""
