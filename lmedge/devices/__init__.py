"""The devices that a bundle is made for, as far as a workstation can run them: does it draw the same faces there?"""
