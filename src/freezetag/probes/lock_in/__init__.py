"""Once all defect, does a world of these agents find its way back to cooperation?"""
