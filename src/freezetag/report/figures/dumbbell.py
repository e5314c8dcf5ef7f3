"""Two arms per row, class of 1 hollow and class of 30 filled, joined by a line.

REQUIRED name (str), alone, together (numbers, None where not measured).
OPTIONAL alone_low, alone_high, together_low, together_high (95 % whiskers);
         warn, fail (limits in the row's own scale, drawn as ticks);
         harm ("above" or "below": the side on which it is bad, drawn as an arrow).
All rows share one axis: give one unit per figure, or numbers that were scaled beforehand.
"""
