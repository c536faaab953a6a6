"""Settings of the session for a while."""

from contextlib import suppress

from pyspark.sql import SparkSession

from emotion_udf.plans import FOR_FEW, for_many, with_settings

PARTITIONS = "spark.sql.shuffle.partitions"
OF_NO_MEANING = "emotion.udf.test"


def test_settings_are_set_back_also_after_an_error(spark: SparkSession) -> None:
    before = spark.conf.get(PARTITIONS)
    with suppress(ZeroDivisionError), with_settings(spark, FOR_FEW | {OF_NO_MEANING: "1"}):
        assert (spark.conf.get(PARTITIONS), spark.conf.get(OF_NO_MEANING)) == ("1", "1")
        raise ZeroDivisionError
    assert (spark.conf.get(PARTITIONS), spark.conf.get(OF_NO_MEANING, None)) == (before, None)


def test_a_plan_over_few_rows_is_one_job(spark: SparkSession) -> None:
    def jobs(group: str) -> int:
        spark.sparkContext.setJobGroup(group, "")
        one, other = (spark.range(100).selectExpr("id % 7 AS key", "id") for _ in range(2))
        assert one.groupBy("key").count().join(other, on="key").count() == 100
        spark.sparkContext._jsc.clearJobGroup()
        return len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))

    with with_settings(spark, FOR_FEW):
        assert jobs("few") == 1
    assert jobs("many") > 1


def test_a_shuffle_has_as_many_partitions_as_its_rows_are_worth(spark: SparkSession) -> None:
    initial = "spark.sql.adaptive.coalescePartitions.initialPartitionNum"
    assert for_many(spark, rows=10_000, size=1_000_000) == {}, "the session's own 4 are enough"
    (of_rows,) = for_many(spark, rows=100_000_000, size=1e10).values()
    (of_ten_times_as_many,) = for_many(spark, rows=1_000_000_000, size=1e11).values()
    assert (int(of_rows), int(of_ten_times_as_many)) == (680, 6795)
    with with_settings(spark, {initial: "9999"}):
        assert for_many(spark, rows=1_000_000_000, size=1e11) == {}, "whoever sets it knows"


def test_partitions_that_are_not_needed_are_put_together(spark: SparkSession) -> None:
    with with_settings(spark, {"spark.sql.adaptive.coalescePartitions.initialPartitionNum": "500"}):
        assert spark.range(1000).repartition("id").rdd.getNumPartitions() < 4
