"""What goes over the wire, a file for each subject, the request beside its answer."""
