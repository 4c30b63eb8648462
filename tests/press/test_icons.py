"""The icons of a built book: those that its pages show, and no others."""

from press import icons

SCRIPT = (
    '(()=>{var x={"arrow-up":[384,512,[8593],"f062","M1"],github:[496,512,[],"f09b","M2"],'
    '"magnifying-glass":[512,512,[128269,"search"],"f002","M3"],zap:[1,1,[],"f0e7",["M4","M5"]]};})()'
)


def test_what_pages_and_scripts_show_is_kept(tmp_path):
    (tmp_path / "_static" / "scripts").mkdir(parents=True)
    (tmp_path / "book").mkdir()
    (tmp_path / icons.SCRIPT).write_text(SCRIPT)
    (tmp_path / "book" / "page.html").write_text('<i class="fa-brands fa-github"></i><i class="fa-solid fa-search">')
    (tmp_path / "_static" / "scripts" / "some-theme.js").write_text('add("fa-arrow-up")')
    icons.slim(tmp_path)
    script = (tmp_path / icons.SCRIPT).read_text()
    assert script == SCRIPT.replace('zap:[1,1,[],"f0e7",["M4","M5"]]', "")
    icons.slim(tmp_path)
    assert (tmp_path / icons.SCRIPT).read_text() == script


def test_without_a_script_there_is_nothing_to_do(tmp_path):
    icons.slim(tmp_path)
    assert not list(tmp_path.iterdir())
