"""What is drawn: each module makes figures of one kind of result; `style` is what they share."""
