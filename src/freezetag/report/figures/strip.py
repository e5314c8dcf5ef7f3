"""One dot per co-player on one line of values; held-out ones ringed, the worst three named.

REQUIRED name (str), value (low is bad unless labels["harm"] == "above").
OPTIONAL held_out (bool); low, high (95 %); family (str, one line of dots each);
         reference (the class of 1, or any line to compare with).
"""
