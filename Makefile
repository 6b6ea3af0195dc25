# Everything a person or a machine does with this checkout; `make` alone prints this list.
PYTHON = .venv/bin/python
MODULES = mailhaul services checker
# Where Python is told not to write bytecode, as images do, each of a dozen processes would compile everything anew.
COMPILE = $(PYTHON) -m compileall -q $(MODULES)
SOURCES = $(MODULES) tests $(wildcard benchmarks)

.DEFAULT_GOAL := help
.PHONY: help demo demo-stop test faults check format joints setup setup-demo docs requirements clean

help: ## print this list
	@echo "Mailhaul. Start with:  make demo"
	@echo
	@awk -F ': *[^#]*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup-demo ## move a dozen mailboxes between two real mail servers and check every message; KEEP=1 leaves it running
	@$(PYTHON) -m mailhaul.stack.demo $(if $(KEEP),--keep)

test: setup ## every test, on a real broker, real mail servers and both databases; ARGS="-k name" passes options to pytest
	@$(PYTHON) -m pytest $(ARGS)

faults: setup ## kill copiers at random and let the checker judge; KILLS=400 SEED=7 ACTS="kill stall" change the campaign
	@$(PYTHON) -m tests.faults --kills $(or $(KILLS),200) $(if $(SEED),--seed $(SEED)) $(if $(ACTS),--acts $(ACTS))

check: setup ## style, types and the import rules
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy $(SOURCES)
	@.venv/bin/lint-imports

format: setup ## put the code into house style
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

joints: setup ## list the tests that carry the decisions at the seams between services
	@$(PYTHON) -m pytest --collect-only -q --no-header -k test_joint_ >.joints 2>&1 || { cat .joints; rm -f .joints; exit 1; }
	@sed -n 's/^\(.*\)::\(test_joint_\([0-9]*\).*\)$$/\3  \2  (\1)/p' .joints | sort; rm -f .joints

demo-stop: ## end what `make demo KEEP=1` left running
	@$(PYTHON) -m mailhaul.stack.demo --stop

setup: ## install what is missing for the tests, and nothing else
	@sh infra/setup/packages.sh test
	@sh infra/setup/python.sh
	@sh infra/setup/kafka.sh
	@$(COMPILE)
	@$(PYTHON) -m mailhaul.stack.class_archive

setup-demo:
	@sh infra/setup/packages.sh demo
	@sh infra/setup/python.sh
	@sh infra/setup/kafka.sh
	@$(COMPILE)
	@$(PYTHON) -m mailhaul.stack.class_archive

docs: setup ## write the generated pages anew
	@$(PYTHON) -m mailhaul.kafka.docs
	@$(PYTHON) -m mailhaul.configuration docs/configuration.md

requirements: ## pin the Python packages anew from pyproject.toml, with hashes
	uv pip compile --quiet --generate-hashes --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --generate-hashes --no-header --python-version 3.11 --extra demo -c requirements/dev.txt pyproject.toml -o requirements/demo.txt
	uv pip compile --quiet --generate-hashes --no-header --python-version 3.11 -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt

clean: ## remove what the tools left in the checkout; the environment and the cached broker stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
