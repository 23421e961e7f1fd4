from shared.label_studio.label_config import LabelConfig
from shared.label_studio.text_cache import TextCache


def test_last_used_are_kept() -> None:
    kept: TextCache[str, str] = TextCache(max_entries=2, max_characters=100)
    for key in "abc":
        kept.put(key, key.upper(), 1)
        kept.get("a")
    assert sorted(kept.values()) == ["A", "C"]
    assert kept.get("b") is None


def test_large_ones_together_are_bounded() -> None:
    kept: TextCache[str, str] = TextCache(max_entries=9, max_characters=100)
    for key in "abcd":
        kept.put(key, key, 40)
    assert kept.values() == ["c", "d"]
    kept.put("d", "again", 40)
    assert kept.values() == ["c", "again"]
    kept.put("huge", "huge", 1000)
    assert kept.values() == ["huge"], "the newest stays"


def test_equal_label_configs_are_one_object() -> None:
    xml = '<View><Text name="t" value="$t"/></View>'
    assert LabelConfig.parse(xml) is LabelConfig.parse(f"  {xml}\n")
