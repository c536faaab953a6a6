from emotion_udf.emotions import EMOTIONS


def test_the_six_emotions_have_the_label_ids_of_the_data_set() -> None:
    assert dict(enumerate(EMOTIONS)) == {0: "sadness", 1: "joy", 2: "love", 3: "anger", 4: "fear", 5: "surprise"}
