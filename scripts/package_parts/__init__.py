"""What a package carries beside the code, each made from the program itself."""
