# `make cluster` builds a real cluster on this machine; `make test` proves it. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

export IRONRACK_CACHE ?= /var/cache/ironrack
RELEASE ?= 1.36.4
INVENTORY ?= inventories/lab
digest = $(shell cat $(1) | sha256sum | cut -c1-12)
VENV := $(IRONRACK_CACHE)/python/test-$(call digest,requirements/runtime.txt requirements/test.txt)
DOCS_VENV := $(IRONRACK_CACHE)/python/docs-$(call digest,requirements/docs.txt)
# Ansible finds a collection by its path only: this checkout gets one, outside the tree, by a link.
COLLECTIONS := $(IRONRACK_CACHE)/checkouts/$(shell pwd | sha256sum | cut -c1-12)
COLLECTION := $(COLLECTIONS)/ansible_collections/ironrack/cluster
export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PYTHONPATH := $(COLLECTIONS)
export IRONRACK_TEST_VENV := $(VENV)
export IRONRACK_DOCS_VENV := $(DOCS_VENV)
PYTHON := $(VENV)/bin/python
PLAYBOOK := $(VENV)/bin/ansible-playbook -i $(INVENTORY)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: cluster
cluster: lab-check environment prepare bundle lab-up ## Build what is needed, start the lab hosts, bring up and check a real HA cluster
	time $(PLAYBOOK) playbooks/site.yml
	$(PYTHON) -m lab footprint

.PHONY: test
test: environment ## Everything that has to pass before a change lands
	python3 tests/gates/run.py all

.PHONY: long
long: environment ## The scenarios that `make test` has no time for
	python3 tests/gates/run.py long

.PHONY: unit
unit: environment ## The quick tests: pure logic, argv cases, templates
	cd $(COLLECTION) && $(PYTHON) -m pytest -q -n 2 tests/unit

.PHONY: lint sanity docs-lint importer
lint sanity docs-lint importer: environment ## One static gate by its name
	python3 tests/gates/run.py $@

.PHONY: scenario
scenario: environment ## One Molecule scenario on lab hosts: make scenario NAME=default
	python3 tests/gates/run.py molecule:$(or $(NAME),default)

.PHONY: environment
environment: $(VENV)/.complete $(DOCS_VENV)/.complete ## The Python environments, cached by the content of requirements/
	@mkdir -p $(dir $(COLLECTION))
	ln -sfn $(CURDIR) $(COLLECTION)

$(IRONRACK_CACHE)/python/%/.complete:
	python3 -c 'import ensurepip' 2>/dev/null || { apt-get update && apt-get install -y python3-venv; }
	rm -rf $(@D)
	python3 -m venv $(@D)
	echo "Installing the Python environment $(@D) (two to four minutes when cold)"
	$(@D)/bin/python -m pip install --quiet -r requirements/$(firstword $(subst -, ,$(notdir $(@D)))).txt
	touch $@

.PHONY: lab-check prepare bundle
lab-check: ## Refuse a machine that cannot carry the lab, with all reasons at once
	python3 lab/check.py
prepare: ## Install the machine's packages: podman for the hosts, a compiler for NGINX
	$(PYTHON) -m lab prepare
	$(PYTHON) -m lab.artifacts prepare
bundle: ## Build the bundle of binaries, images and packages (20 minutes cold, seconds warm)
	$(PYTHON) -m lab.artifacts build --release $(RELEASE)

.PHONY: lab-up lab-down lab-status
lab-up: ## Start the lab's hosts
	$(PYTHON) -m lab --inventory $(INVENTORY) up
lab-down: ## Remove everything that the lab made
	$(PYTHON) -m lab down
lab-status: ## Say what stands
	$(PYTHON) -m lab --inventory $(INVENTORY) status

.PHONY: validate reset faults bench canaries
validate: ## Check the cluster from outside
	$(PLAYBOOK) playbooks/validate.yml
reset: ## Take the lab's cluster apart again
	$(PLAYBOOK) playbooks/reset.yml -e reset_confirm=lab
faults: ## Kill and cut hosts under a counting client
	$(PYTHON) -m tests.faults.run --inventory $(INVENTORY)
bench: lab-check environment prepare bundle ## Measure against the floor, on new lab hosts; PARTS='noop controller' for some
	PATH=$(VENV)/bin:$$PATH $(PYTHON) -m tests.bench --inventory $(INVENTORY) $(PARTS)
canaries: environment ## Simulate canaries, and put how often gates are wrong into docs/operations/gates.md
	$(PYTHON) -m tests.bench.canaries --write-docs
