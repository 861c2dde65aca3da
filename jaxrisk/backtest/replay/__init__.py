"""With the real price as the mark and without impact, do positions liquidate when and as much as they did?"""
