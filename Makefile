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
test: setup-test tidy lint metrics-test test-build unit integration
test: crash-short sim-short fuzz-short ## Everything that CI runs

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

.PHONY: guest-test
guest-test: setup ## File systems, changes, clusters, CHAP, kills, multipath with the kernel's initiator (SEED=)
	@scripts/setup.sh guest
	swift build --configuration release
	Tests/Guest/build.sh .tools/guest
	Tests/Guest/run.py --binaries "$$(swift build --configuration release --show-bin-path)" \
		--output docs/guest-test.md $(if $(SEED),--seed $(SEED))

.PHONY: conformance
conformance: setup-test ## libiscsi's suite against a gateway and against tgt, release build (docs/conformance.md)
	swift build --configuration release
	Tests/Conformance/run.py --binaries "$$(swift build --configuration release --show-bin-path)" \
		$(if $(ONLY),--test '$(ONLY)',--output docs/conformance.md)

.PHONY: malformed
malformed: test-build ## What no initiator should send, class by class (QUICK=1 leaves out what takes a minute)
	Tests/Conformance/malformed.py --binaries "$(TEST_BINARIES)" $(if $(QUICK),--quick)

.PHONY: fuzz-network
fuzz-network: setup-test ## Changed PDUs while another session works, release build (PDUS=1000000 SEED=), then floods
	swift build --configuration release
	Tests/Conformance/fuzz.py --binaries "$$(swift build --configuration release --show-bin-path)" \
		--pdus $(or $(PDUS),1000000) $(if $(SEED),--seed $(SEED))
	Tests/Conformance/fuzz.py --binaries "$$(swift build --configuration release --show-bin-path)" --flood

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

.PHONY: metrics-test
metrics-test: setup-test ## Check alert rules, their tests and the package's units; seconds
	compose/test/check_rules.py
	packaging/check.sh

.PHONY: expressions-test
expressions-test: test-build ## Ask a Prometheus that scrapes a gateway every expression of rules and dashboard
	compose/test/check_expressions.py --binaries "$(TEST_BINARIES)"
	packaging/check.sh "$(TEST_BINARIES)"

# A Swift runtime in the binaries, so that they run where there is none.
STATIC_BUILD = swift build --configuration release --static-swift-stdlib --scratch-path .build-static
.PHONY: static
static: setup ## Release binaries with the Swift runtime in them, as images and packages have them
	$(STATIC_BUILD)

.PHONY: compose-up
compose-up: ## Build the image and start a gateway with docker compose
	docker compose --file compose/compose.yaml up --build --wait

.PHONY: compose-down
compose-down: ## Stop the gateway of compose-up; its volumes stay
	docker compose --file compose/compose.yaml down

.PHONY: compose-test
compose-test: static ## Deploy with docker compose, scale, kill, hang, cut off and starve each service; needs root
	@scripts/setup.sh compose
	compose/test/run.py --binaries "$$($(STATIC_BUILD) --show-bin-path)" $(if $(ONLY),--only $(ONLY))

.PHONY: install
install: static ## Install for the whole machine, or into a package's tree (DESTDIR= PREFIX=/usr)
	@$(MAKE) --no-print-directory install-files INSTALL_FROM="$$($(STATIC_BUILD) --show-bin-path)"

# Without a build, for packagers: INSTALL_FROM is the directory of the binaries.
PREFIX ?= /usr/local
BINDIR = $(PREFIX)/bin
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
SHARED = $(DESTDIR)$(PREFIX)/share
.PHONY: install-files
install-files:
	install -d "$(DESTDIR)$(BINDIR)" "$(UNITS)/sluice.service.d" "$(UNITS)/sluice-.service.d" \
		"$(DESTDIR)$(PREFIX)/lib/sysusers.d" "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d" "$(DESTDIR)/etc/sluice" \
		"$(SHARED)/sluice" "$(SHARED)/doc/sluice"
	for name in sluice sluice-iscsi sluice-cache sluice-uploader sluice-snapshotter sluice-exporter; do \
		install -s "$(INSTALL_FROM)/$$name" "$(DESTDIR)$(BINDIR)/"; done
	for unit in packaging/systemd/sluice*; do \
		sed 's|@bindir@|$(BINDIR)|' "$$unit" | install -m 644 /dev/stdin "$(UNITS)/$${unit##*/}"; done
	for kind in sluice sluice-; do install -m 644 packaging/systemd/hardening.conf "$(UNITS)/$$kind.service.d/"; done
	install -m 644 packaging/sysusers.d/sluice.conf "$(DESTDIR)$(PREFIX)/lib/sysusers.d/"
	install -m 644 packaging/tmpfiles.d/sluice.conf "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/"
	[ -e "$(DESTDIR)/etc/sluice/gateway.yaml" ] || \
		install -m 640 packaging/gateway.yaml "$(DESTDIR)/etc/sluice/gateway.yaml"
	install -m 644 compose/prometheus/rules.yml compose/grafana/sluice.json "$(SHARED)/sluice/"
	install -m 644 README.md CHANGELOG.md LICENSE docs/OPERATIONS.md "$(SHARED)/doc/sluice/"

.PHONY: metrics-document
metrics-document: build ## Write docs/METRICS.md from the table of metrics
	"$(BINARIES)/sluice" config metrics --markdown >docs/METRICS.md

# A package of its own, compiled for libFuzzer; nothing of it is in the other builds.
TIME ?= 60
.PHONY: fuzz
fuzz: setup ## Fuzz all decoders and state machines (TIME= seconds for each target, TARGET=FuzzPDU)
	scripts/fuzz.sh $(TIME) $(TARGET)

.PHONY: fuzz-short
fuzz-short: setup ## Every kept input once, then a minute for each target
	scripts/fuzz.sh 60

.PHONY: lint
lint: ## Check the formatting
	swift format lint --strict --parallel --recursive Package.swift Services Shared Tests Fuzz/Package.swift Fuzz/Sources

.PHONY: format
format: ## Format the sources in place
	swift format --in-place --parallel --recursive Package.swift Services Shared Tests Fuzz/Package.swift Fuzz/Sources

.PHONY: tidy
tidy: ## Check imports, sizes and banned spellings
	scripts/tidy.py

.PHONY: clean
clean: ## Remove what was built and the S3 servers of the tests; ./run-data stays
	rm -rf .build .build-test .build-static Fuzz/.build .tools
