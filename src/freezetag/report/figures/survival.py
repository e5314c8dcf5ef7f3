"""Step curves of the share still there: survival of a commons, time to escape, per arm.

REQUIRED time, share (numbers; share in [0, 1], as it is from `time` on).
OPTIONAL low, high (band); series (str, the arm); censored (bool: a tick).
"""
