"""Operations on one partition: packed, sent in batches, and answered."""
