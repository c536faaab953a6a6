from emotion_udf.training.text_table import text_table


def test_columns_stand_under_each_other() -> None:
    lines = text_table([["set", "n"], ["a long name", "12"], ["b", "–"]]).splitlines()
    assert lines == ["set           n", "a long name  12", "b             –"]
