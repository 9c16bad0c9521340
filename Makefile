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
	@scripts/setup.sh build test s3

.PHONY: build
build: setup ## Build all services (CONFIGURATION=debug|release)
	$(BUILD)

.PHONY: run
run: build ## Start a gateway in ./run-data with one volume; Ctrl-C stops it (DIRECTORY=...)
	@scripts/run.sh "$(BINARIES)" "$(DIRECTORY)"

# The builds of `make test` and `make run` differ in their flags, so they have directories of their own.
TEST_BUILD = SLUICE_WARNINGS_AS_ERRORS=1 swift build --scratch-path .build-test
TEST = SLUICE_WARNINGS_AS_ERRORS=1 swift test --scratch-path .build-test --skip-build
TEST_BINARIES = $$($(TEST_BUILD) --show-bin-path)
SEEDS ?= 0..<10000
KILLS ?= 200

.PHONY: test
test: setup-test tidy lint test-build unit integration crash-short sim-short ## Everything that CI runs

.PHONY: test-build
test-build: setup-test
	$(TEST_BUILD) --build-tests
	$(TEST_BUILD)

# One test at a time: many wait for threads and sockets with a deadline, which two cores full of other tests would miss.
.PHONY: unit
unit: test-build ## Unit and property tests
	$(TEST) --skip IntegrationTests --no-parallel

.PHONY: integration
integration: test-build ## A real gateway with real initiators, one test at a time
	$(TEST) --filter IntegrationTests --no-parallel

.PHONY: s3-more
s3-more: setup-test test-build ## Install more S3 servers (JuiceFS, Swift, Ceph) and run the tests of all
	@scripts/setup.sh s3-more
	$(TEST) --filter 'S3ServersTests|S3StoreTests' --no-parallel

SIM_BUILD = swift build --configuration release --product sluice-sim
SIM = $$($(SIM_BUILD) --show-bin-path)/sluice-sim

.PHONY: sim
sim: setup ## Simulate the storage engine (SEEDS='0..<10000', or SEED=1 TRACE=--trace)
	$(SIM_BUILD)
	$(SIM) $(if $(SEED),--seed $(SEED) $(TRACE),--seeds '$(SEEDS)')

.PHONY: sim-short
sim-short: setup ## A few minutes of simulation, and every broken rule must be caught
	$(SIM_BUILD)
	$(SIM) --seeds '0..<1000'
	$(SIM) --seeds '0..<300' --mutants

# The second loop writes to few blocks, because reading them back through the faults takes most of its time.
.PHONY: crash-short
crash-short: test-build ## Forty kills, and twelve with a faulty S3 store
	$(TEST_BINARIES)/sluice-crash --kills 40
	$(TEST_BINARIES)/sluice-crash --s3 --faults --kills 12 --blocks 1500

.PHONY: crash
crash: setup-test ## Kill services under load and compare with what was acknowledged (KILLS=200 SEED=)
	swift build --configuration release
	$$(swift build --configuration release --show-bin-path)/sluice-crash --kills $(KILLS) \
		$(if $(SEED),--seed $(SEED))

.PHONY: crash-s3
crash-s3: setup-test ## The same on SeaweedFS behind a proxy that injects faults (KILLS=500 SEED=)
	swift build --configuration release
	$$(swift build --configuration release --show-bin-path)/sluice-crash --s3 --faults --kills $(KILLS) \
		$(if $(SEED),--seed $(SEED))

.PHONY: image-s3
image-s3: test-build ## A file system of 3 GiB into SeaweedFS and back, without the machine that wrote it
	SLUICE_FULL_IMAGE=1 $(TEST) --filter aFileSystemSurvivesTheLossOfTheMachineInSeaweedFS

.PHONY: bench
bench: setup-test ## Measure against tgt in the same run, release build (docs/benchmarks)
	swift build --configuration release
	Benchmarks/peers.py --binaries "$$(swift build --configuration release --show-bin-path)"

.PHONY: bench-bucket
bench-bucket: setup-test ## Measure write-back, cold reads, requests and recovery, release build (45 GiB of disk)
	swift build --configuration release
	Benchmarks/bucket.py --binaries "$$(swift build --configuration release --show-bin-path)"

.PHONY: bench-snapshots
bench-snapshots: setup-test ## Measure how long snapshots hold up writes, release build
	swift build --configuration release
	Benchmarks/snapshots.py --binaries "$$(swift build --configuration release --show-bin-path)"

.PHONY: metrics-document
metrics-document: build ## Write docs/METRICS.md from the table of metrics
	"$(BINARIES)/sluice" config metrics --markdown >docs/METRICS.md

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
clean: ## Remove what was built and the S3 servers of the tests; ./run-data stays
	rm -rf .build .build-test .tools
