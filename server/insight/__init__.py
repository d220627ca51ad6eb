"""What is learnt from the journal beside the stock itself: figures by day, reports, alerts."""
