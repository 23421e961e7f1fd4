from shared.label_studio.label_config import LabelConfig
from shared.label_studio.text_cache import TextCache


def test_last_used_are_kept() -> None:
    kept: TextCache[str, str] = TextCache(max_entries=2, max_characters=100)
    for key in "abc":
        kept.put(key, key.upper(), 1)
        kept.get("a")
    assert kept.values() == ["C", "A"]
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


def test_reading_all_values_is_no_use_of_them() -> None:
    cache: TextCache[str, str] = TextCache(max_entries=3)
    for key in "abc":
        cache.put(key, key, 1)
    cache.get("a")
    assert cache.values() == ["b", "c", "a"]
    cache.put("d", "d", 1)
    assert cache.values() == ["c", "a", "d"]


def test_a_long_text_takes_no_place_of_short_ones() -> None:
    cache: TextCache[int, int] = TextCache(max_entries=256, max_characters=1000)
    for key in range(255):
        cache.put(key, key, 1)
    cache.put(255, 255, 745)
    assert cache.values() == list(range(256))


def test_equal_label_configs_are_one_object() -> None:
    xml = '<View><Text name="t" value="$t"/></View>'
    assert LabelConfig.parse(xml) is LabelConfig.parse(f"  {xml}\n")
