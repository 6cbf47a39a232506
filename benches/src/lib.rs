//! Performance, with peers beside: see `README.md` for the table and how to repeat it. The benches are in `benches/`.
