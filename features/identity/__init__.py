"""Which ids are one customer: what may join them (`rules`), and which were one profile when (`periods`)."""
