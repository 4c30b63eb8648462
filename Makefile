# `make book` and `make test` need only python3 (3.10 or newer) and make; they set up .venv themselves.
# Another interpreter: `make book PYTHON=python3.12`.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin

.PHONY: book test serve bench times student teacher assignments grade site pages format clean distclean

book: .venv/installed.stamp
	@cd book && ../$(BIN)/python -m press.build

# Two workers of one thread each: small networks gain little from more threads, and the browser tests need a core.
# The built book comes first, because the browser tests open it.
test: book
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| $(BIN)/python -m playwright install chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not cuda"

serve: book
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

bench: .venv/installed.stamp
	$(BIN)/python benchmarks/attribution.py

# Executes the chapters alone, on one thread, and writes how long each took to data/results/run-times.json and to its
# head. Some only: `make times CHAPTERS="shapley mnist"`. ICG_DATA names the folder of the data sets.
times: .venv/installed.stamp
	@cd book && ../$(BIN)/python -m press.times $(CHAPTERS)

student teacher: .venv/class.stamp
	@cd book && ../$(BIN)/python -m press.editions $@

# An nbgrader course in _build/assignments, for all chapters or some: `make assignments CHAPTERS="shapley mnist"`. More:
# SEED=1 repeats the hidden cases, COURSE=FOLDER is another place, NO_CHECK=1 does not run the solutions first.
assignments: .venv/class.stamp
	@PYTHONPATH=book $(BIN)/python -m press.assignments $(CHAPTERS) $(if $(SEED),--seed $(SEED)) \
		$(if $(COURSE),--course "$(COURSE)") $(if $(NO_CHECK),--no-check)

# Grades what students hand in: `make grade SUBMISSIONS=FOLDER`. FORCE=1 grades again what is unchanged.
grade: .venv/class.stamp
	@test -n "$(SUBMISSIONS)" || { echo "expected SUBMISSIONS=FOLDER, with STUDENT/CHAPTER.ipynb in it" >&2; exit 1; }
	@PYTHONPATH=book $(BIN)/python -m press.grade "$(SUBMISSIONS)" \
		$(if $(COURSE),--course "$(COURSE)") $(if $(FORCE),--force)

# The built book, and plain notebooks for Colab beside it, in _build/site.
site: book
	@cd book && ../$(BIN)/python -m press.site

# One commit with _build/site on the local branch gh-pages; nothing is pushed.
pages: site
	$(BIN)/ghp-import --no-jekyll --branch gh-pages --message "The built book" _build/site

format: .venv/installed.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout book/*.ipynb

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

distclean: clean
	rm -rf .venv

# For a class nothing of the book's own build is needed.
.venv/installed.stamp: EXTRAS = book,test
.venv/class.stamp: EXTRAS = class
.venv/installed.stamp .venv/class.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	@touch $@
