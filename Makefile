# Everything a person types. `make run` and `make test` set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLOUD := .venv-cloud
STAGE ?= prod
SEEDS ?= 1000
PASSES ?= 100000
FROM ?= 1
SAY := @printf '%s\n'

.PHONY: run demo verify replay test soak soak-wallets check bench openapi package deploy setup clean help

help:
	$(SAY) "make run      everything on this machine, at http://localhost:8000" \
		"make demo     the story, played against make run" \
		"make verify   proves every chain of the ledger  STAGE=local  [MEMBER='prg_x#mem_y']" \
		"make test     all tests, offline" \
		"make replay   tells the queues of every member, after the stream was down  STAGE=prod" \
		"make soak     the seeded simulation, longer  [SEEDS=1000] [FROM=1]" \
		"make soak-wallets  a change of every card, with workers that die  [PASSES=100000]" \
		"make check    linters, types and structure" \
		"make bench    measurements" \
		"make openapi  docs/openapi.json and docs/program_reference.md, from the code" \
		"make package  what is deployed, into build/  [STAGE=prod]" \
		"make deploy   to AWS  STAGE=prod BUCKET=my-deployments [PARAMETERS='AlarmEmail=me@shop.example']"

setup: $(VENV)/.ready $(CLOUD)/.ready

$(VENV)/.ready: requirements.txt requirements-dev.txt
	$(SAY) "Setting up .venv (a few minutes the first time) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Regulars needs Python 3.11 or newer: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The local cloud pins a botocore of its own, so it lives apart.
$(CLOUD)/.ready: requirements-cloud.txt | $(VENV)/.ready
	$(SAY) "Setting up .venv-cloud (a minute the first time) ..."
	@$(PYTHON) -m venv $(CLOUD)
	@$(CLOUD)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-cloud.txt
	@touch $@

run: setup
	@$(BIN)/python -m local.run

demo: setup
	@$(BIN)/python -m local.demo $(ARGS)

verify: setup
	@$(BIN)/python -m $(if $(filter local,$(STAGE)),local.verify,infra.verify --stage $(STAGE)) \
		$(if $(MEMBER),--member "$(MEMBER)")

replay: setup
	@$(BIN)/python -m infra.replay --stage $(STAGE)

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

openapi: setup
	@$(BIN)/python -m infra.openapi
	@$(BIN)/python -m infra.program_reference

package: setup
	@$(BIN)/python -m infra.package --stage $(STAGE)

deploy: setup
	@$(BIN)/python -m infra.deploy --stage $(STAGE) --bucket "$(BUCKET)" \
		$(foreach parameter,$(PARAMETERS),--parameter "$(parameter)")

test: setup
	@$(BIN)/python -m pytest -n 2 --no-loadscope-reorder $(ARGS)

soak: setup
	@$(BIN)/python -m tests.simulation --first $(FROM) --seeds $(SEEDS)

soak-wallets: setup
	@$(BIN)/python -m tests.simulation.wallets --passes $(PASSES)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

clean:
	@rm -rf $(VENV) $(CLOUD) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
