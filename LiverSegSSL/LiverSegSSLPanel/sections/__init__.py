"""The sections of the panel, one small class each, and what they are made of. Qt lives here and in the views."""
