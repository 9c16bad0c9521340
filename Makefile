# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. Everything works on a fresh Debian or Ubuntu machine with a Swift 6.2+ toolchain.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A debug build is ready several times sooner than a release build, also after each change; CONFIGURATION=release is
# for measuring and for use.
CONFIGURATION ?= debug
DIRECTORY ?= run-data
BUILD = swift build --configuration $(CONFIGURATION)
BINARIES = $$($(BUILD) --show-bin-path)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 16

.PHONY: setup
setup: ## Install the Debian packages that the build needs, those that are missing
	@scripts/setup.sh build

.PHONY: setup-test
setup-test: ## Install what the tests need on top
	@scripts/setup.sh build test

.PHONY: build
build: setup ## Build all services (CONFIGURATION=debug|release)
	$(BUILD)

.PHONY: run
run: build ## Start a gateway in ./run-data with one volume; Ctrl-C stops it (DIRECTORY=...)
	@scripts/run.sh "$(BINARIES)" "$(DIRECTORY)"

.PHONY: test
test: setup-test tidy lint ## Everything that CI runs: style, unit, simulation, integration
	SLUICE_WARNINGS_AS_ERRORS=1 swift build --build-tests
	SLUICE_WARNINGS_AS_ERRORS=1 swift test --skip-build --parallel
	scripts/integration.sh "$$(SLUICE_WARNINGS_AS_ERRORS=1 swift build --show-bin-path)"

.PHONY: lint
lint: ## Check the formatting
	swift format lint --strict --parallel --recursive Package.swift Services Shared Tests

.PHONY: format
format: ## Format the sources in place
	swift format --in-place --parallel --recursive Package.swift Services Shared Tests

.PHONY: tidy
tidy: ## Check imports, sizes and banned spellings
	scripts/tidy.py

.PHONY: clean
clean: ## Remove what was built; ./run-data stays
	rm -rf .build
