from shared.label_studio.label_config import LabelConfig
from shared.lru_cache import LRUCache


def test_last_used_are_kept() -> None:
    kept: LRUCache[str, str] = LRUCache(count=2, characters=100)
    for key in "abc":
        kept.put(key, key.upper(), 1)
        kept.get("a")
    assert kept.values() == ["C", "A"]
    assert kept.get("b") is None


def test_large_ones_together_are_bounded() -> None:
    kept: LRUCache[str, str] = LRUCache(count=9, characters=100)
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
