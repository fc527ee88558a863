"""What goes in: data files, prompt templates and job files. Knows the domain and nothing else of the program."""
