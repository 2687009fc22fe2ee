"""Apache Spark: the only place that knows it. `exchange` reads and writes Spark's model folders without Java."""
