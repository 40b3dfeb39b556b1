.DEFAULT_GOAL := help
SHELL        := bash -o pipefail
GO           ?= go
LINT_VERSION := 2.15.0
LINTER       ?= .tools/golangci-lint-$(LINT_VERSION)
FUZZ         ?= 200000x
SEEDS        ?= 10000
PKGS         ?= ./...
STORE        ?= .store
LISTEN       ?= 127.0.0.1:4222

.PHONY: help demo up build test browser deploy-test catalogue check tidy lint fmt fuzz sim e2e e2e-batch e2e-long bench bench-compare codestat cover clean \
	slurm-up slurm-down sge-up sge-down sshd-up sshd-down
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## See it work: everything on this machine, in a temporary directory
	./scripts/demo.sh

up: build ## Server, manager and launcher in one process; STORE= and LISTEN= say where
	bin/flightlog up --store $(STORE) --listen $(LISTEN)

build: ## Binaries into bin/: flightlog, flightlog-manager, flightlog-launcher, flightlog-agent
	GO=$(GO) scripts/build.sh bin

# Each command of a fake batch system is the test binary, whose start the race
# detector makes 20 times as slow: what only does that is tested without it.
FAKES := (/internal/adaptor/batch|/internal/adaptor/adaptortest/fakebatch)
# The timers of a bubble of testing/synctest share one context of the race detector,
# which two threads at once corrupt (go.dev/issue/78156): "ThreadSanitizer: CHECK
# failed", or SIGSEGV. Packages with such tests get one thread for Go code. The detector
# goes by what is ordered before what, and sees their races all the same.
BUBBLES := testing/synctest
ONE_CPU := -cpu 1
RACED = $(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' $(PKGS) | { grep -vE '^[^ ]*$(FAKES) ' || true; }

test: ## All tests but the long ones, with the race detector where that is not too slow
	@$(RACED) | { grep -v '$(BUBBLES)' || true; } | cut -d' ' -f1 | xargs -rt $(GO) test -race -shuffle=on -short -timeout 9m
	@$(RACED) | { grep '$(BUBBLES)' || true; } | cut -d' ' -f1 | xargs -rt $(GO) test -race $(ONE_CPU) -shuffle=on -short -timeout 9m
	@$(GO) list $(PKGS) | { grep -E '$(FAKES)$$|/internal/launcher$$' || true; } | xargs -rt $(GO) test -shuffle=on -short -timeout 9m

browser: build ## The live page in headless Chromium; as root it installs what is missing
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or later" >&2; exit 1; }
	@test -n "$$CHROMIUM" || command -v chromium >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }
	cd e2e/browser && npm ci --ignore-scripts --no-audit --no-fund && npm test

deploy-test: ## Check deploy/ with the parsers of systemd, Compose, BuildKit, Helm and Kubernetes
	cd deploy/test && $(GO) mod tidy -diff && $(GO) vet ./... && $(GO) test -count=1 -timeout 15m ./...

catalogue: ## Every embedded resource resolves, under every schema, and takes a pilot
	$(GO) test -count=1 -run '^TestEmbeddedCatalogue$$' -v ./internal/resource

check: tidy lint test ## What must pass before a push

tidy: ## go.mod and go.sum are as they should be
	$(GO) mod tidy -diff

lint: $(LINTER) ## Formatting, vet, import directions; the scripts where shellcheck is there
	$(LINTER) fmt --diff
	$(LINTER) run $(PKGS)
	@if command -v shellcheck >/dev/null; then shellcheck -x .ci/run deploy/nats/*.sh scripts/*.sh scripts/testbed/*.sh; fi

fmt: $(LINTER) ## Format what lint would complain of
	$(LINTER) fmt

# Runs are counted, not timed: up to Go 1.26 a fuzz test may fail when its time is
# over (go.dev/issue/75804).
fuzz: ## Every fuzz target, FUZZ=200000x runs of each
	@$(GO) list -f '{{.ImportPath}}' $(PKGS) | while read -r p; do \
	  $(GO) test -list '^Fuzz' $$p | { grep '^Fuzz' || true; } | while read -r f; do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZ) $$p || exit 1; done || exit 1; done

sim: ## The fleet in simulated time, SEEDS=10000 histories
	$(GO) test -race $(ONE_CPU) -run Sim -timeout 60m ./internal/launcher -rapid.checks=$(SEEDS)

e2e: ## A real server, everything killed and restarted
	$(GO) test -race -run E2E -count=1 ./e2e

e2e-batch: ## Pilots on the real SLURM, Grid Engine and sshd of the testbed that is up; SHORT=1: half of it
	$(GO) test -run E2EBatch $(if $(SHORT),-short) -count=1 -parallel 8 -timeout 40m -v ./e2e

e2e-long: ## The same under load, for a long time
	FLIGHTLOG_LONG=1 $(GO) test -run E2E -count=1 -timeout 60m ./e2e

bench: ## Benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

bench-compare: ## Benchmarks of BASE=commit against those of the work tree, by benchstat; PKGS=, BENCH=, COUNT=6
	GO=$(GO) scripts/bench-compare.sh "$(BASE)" "$(or $(BENCH),.)" "$(or $(COUNT),6)" $(PKGS)

codestat: ## What the syntax trees show of the readability of the code
	$(GO) run ./scripts/codestat -list

cover: ## Coverage over all packages
	$(GO) test -short -coverpkg=./... -coverprofile=cover.out $(PKGS) && $(GO) tool cover -func=cover.out | tail -1

slurm-up: ## A real SLURM on this machine, see scripts/testbed; needs root
slurm-down: ## Stop it; PURGE=1 also removes its state
sge-up: ## A real Grid Engine on this machine
sge-down: ## Stop it; PURGE=1 as above
sshd-up: ## An sshd on a loopback port, for logins with keys of its own
sshd-down: ## Stop it; PURGE=1 as above
slurm-up sge-up sshd-up slurm-down sge-down sshd-down:
	@scripts/testbed/$(subst -,.sh ,$@) $(if $(filter %-down,$@),$(if $(PURGE),--purge))

clean: ## Remove what make made
	rm -rf bin .tools cover.out

.tools/golangci-lint-$(LINT_VERSION):
	mkdir -p .tools
	GOBIN=$(CURDIR)/.tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION)
	mv .tools/golangci-lint $@
