# The five commands of this repository, and a few for longer measurements. Each installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Tools and downloads that outlive a checkout.
export PENSTOCK_CACHE ?= $(HOME)/.cache/penstock-build
TOOLS := .ci/tools
PIPELINE ?= tests/pipelines/hello.yaml
PROFILE ?= release
IMAGE ?= penstock.dev/penstock:dev
ROUNDS ?= 7

.PHONY: help run test test-dashboard check lint fmt dashboard image snapshots soak bench bench-kubernetes bench-api bench-dashboard screenshots conformance conformance-api cluster \
  cluster-down clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: ## Build Penstock and run a first pipeline, with the dashboard up (PIPELINE=file for another)
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	@cargo build -p penstock-cli
	@python="$$($(TOOLS) python)"; \
	  PENSTOCK_PYTHON="$$python" PENSTOCK_DATA_DIR="$${PENSTOCK_DATA_DIR:-$(CURDIR)/.penstock}" \
	  .ci/first-run "$$($(TOOLS) target)/debug/penstock" $(PIPELINE)

test: ## All tests: unit, property, component (real S3 server, PostgreSQL), end to end (real Python, real Kubernetes)
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	@$(TOOLS) image
	@$(TOOLS) postgresql
	@cargo build --quiet --workspace --all-targets
	@export PENSTOCK_TEST_PYTHON="$$($(TOOLS) python)" PENSTOCK_TEST_CACHE="$(PENSTOCK_CACHE)"; \
	  export PENSTOCK_TEST_SCHEMATHESIS="$$($(TOOLS) schemathesis)"; \
	  tests/cluster/around .ci/count-skipped cargo test --workspace --no-fail-fast
	@$(MAKE) --no-print-directory test-dashboard

test-dashboard: ## The part of the tests that looks at the pages, in a real browser
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	@$(TOOLS) chromium
	@cargo build --quiet --workspace --all-targets
	@cd dashboard && npx vitest run
	@export PENSTOCK_TEST_PYTHON="$$($(TOOLS) python)" PENSTOCK_TEST_PROGRAM="$$($(TOOLS) target)/debug/penstock"; \
	  cd dashboard && npx playwright test

check: ## The quick part of the tests, to run all day
	@$(TOOLS) build
	PENSTOCK_MODEL_CASES=$${PENSTOCK_MODEL_CASES:-1000} cargo test -p penstock-spec -p penstock-engine

lint: ## Formatting, clippy, dependencies, documentation
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	cd dashboard && npx tsc --noEmit && npx biome check .
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	@$(TOOLS) arrows
	@deny="$$($(TOOLS) deny)"; "$$deny" --log-level error check bans licenses sources

fmt: ## Format the code
	cargo fmt --all

dashboard: ## Build the dashboard and print where it is; what is compiled afterwards serves it
	@$(TOOLS) dashboard

image: ## Build the image as an archive and print where it is (PROFILE=dev is faster; IMAGE=name:tag)
	@$(TOOLS) build
	@$(TOOLS) image
	@tests/image/image build "$(PROFILE)" "$(IMAGE)"

soak: ## The long counts: a million random pipelines, 150 schedules over ten years, requests of every kind, kills here and on Kubernetes, restarts of PostgreSQL (more than an hour)
	@$(TOOLS) build
	@$(TOOLS) postgresql
	@cargo build --quiet -p penstock-cli
	@export PENSTOCK_TEST_PYTHON="$$($(TOOLS) python)" PENSTOCK_TEST_CACHE="$(PENSTOCK_CACHE)"; \
	  PENSTOCK_KILLS=$${PENSTOCK_KILLS:-50} cargo test -p penstock-tests --test faults_kill && \
  PENSTOCK_KILLS=$${PENSTOCK_KILLS:-10} cargo test -p penstock-tests --test server_kills && \
  PENSTOCK_RESTARTS=$${PENSTOCK_RESTARTS:-20} cargo test -p penstock-tests --test postgres_restarts
	@PENSTOCK_KILLS=$${PENSTOCK_KILLS:-20} tests/cluster/around cargo test -p penstock-tests --test kubernetes f01
	@PENSTOCK_TEST_SCHEMATHESIS="$$($(TOOLS) schemathesis)" PENSTOCK_SCHEMATHESIS_SECONDS=450 PENSTOCK_SEED=$$RANDOM \
	  cargo test -p penstock-tests --test api_contract no_request
	@PENSTOCK_SCHEDULES=$${PENSTOCK_SCHEDULES:-150} cargo test -p penstock-apiserver --lib -- every_due_slot --nocapture
	@export PENSTOCK_MODEL_CASES=$${PENSTOCK_MODEL_CASES:-1000000}; \
	  export PENSTOCK_MODEL_SEED=$${PENSTOCK_MODEL_SEED:-$$(date +%s)}; \
	  echo "model cases: PENSTOCK_MODEL_SEED=$$PENSTOCK_MODEL_SEED"; \
	  CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_LTO=off cargo test --release -p penstock-engine --test model \
	    --target-dir "$$($(TOOLS) target)/soak"

bench: ## Measure beside kfp.local and write docs/benchmarks.md (ROUNDS=n)
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	@cargo build --quiet --release -p penstock-cli
	@cargo build --quiet --release -p penstock-engine --example step_cost
	@python="$$($(TOOLS) python)" target="$$($(TOOLS) target)/release"; \
	  "$$python" bench/local.py --penstock "$$target/penstock" --step-cost "$$target/examples/step_cost" \
	    --rounds $(ROUNDS) --write docs/benchmarks.md

bench-kubernetes: ## Measure beside bare Pods on the test cluster and write docs/benchmarks.md (ROUNDS=n)
	@$(TOOLS) build
	@$(TOOLS) image
	@tests/image/image build release penstock.dev/penstock:test >/dev/null
	@cargo build --quiet --release -p penstock-entry --example start_time
	@python="$$($(TOOLS) python)" target="$$($(TOOLS) target)"; \
	  PENSTOCK_TEST_PROFILE=release tests/cluster/around bench/on-cluster "$$python" bench/on_kubernetes.py \
	    --penstock "$$target/release/penstock" --programs "$$target/image/tree" \
	    --start-time "$$target/release/examples/start_time" --rounds $(ROUNDS) --write docs/benchmarks.md

bench-api: ## Measure the API over a million runs and write docs/benchmarks.md (POSTGRES=url of a server for tests; REQUESTS=n)
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	@cargo build --quiet --release -p penstock-cli
	@python="$$($(TOOLS) python)"; \
	  "$$python" bench/api.py --penstock "$$($(TOOLS) target)/release/penstock" $(if $(POSTGRES),--postgres "$(POSTGRES)") \
	    $(if $(REQUESTS),--requests $(REQUESTS)) --write docs/benchmarks.md

screenshots: ## Take pictures of every page in both themes, in dashboard/screenshots/pictures (PENSTOCK_SCREENSHOTS=directory)
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	@$(TOOLS) chromium
	@cargo build --quiet --workspace --all-targets
	@export PENSTOCK_TEST_PYTHON="$$($(TOOLS) python)" PENSTOCK_TEST_PROGRAM="$$($(TOOLS) target)/debug/penstock"; \
	  cd dashboard && PENSTOCK_PART=screenshots npx playwright test

bench-dashboard: ## Measure the pages in a real browser over a million runs and write docs/benchmarks.md (ROUNDS=n)
	@$(TOOLS) build
	@$(TOOLS) dashboard >/dev/null
	@$(TOOLS) chromium
	@cargo build --quiet --release -p penstock-cli
	@python="$$($(TOOLS) python)"; \
	  "$$python" bench/dashboard.py --penstock "$$($(TOOLS) target)/release/penstock" --rounds $(ROUNDS) \
	    --write docs/benchmarks.md

conformance: ## Run Kubeflow's own samples here and on a cluster: CORPUS=clone of kubeflow/pipelines (COMMIT= if it is no clone; ON=machine or kubernetes)
	@test -n "$(CORPUS)" || { echo "error: say where the pipelines are: make conformance CORPUS=DIR" >&2; exit 2; }
	@$(TOOLS) build
	@$(if $(filter machine,$(ON)),,$(TOOLS) image)
	@cargo build --quiet -p penstock-cli -p penstock-tests
	@export PENSTOCK_TEST_PYTHON="$$($(TOOLS) python)"; \
	  $(if $(filter machine,$(ON)),,tests/cluster/around tests/conformance/with-volumes) \
	    $$($(TOOLS) target)/debug/conformance --corpus "$(CORPUS)" \
	    $(if $(COMMIT),--commit "$(COMMIT)") $(if $(ON),--on "$(ON)")

conformance-api: ## Run Kubeflow's own API suites: KFP=clone of kubeflow/pipelines (ARGO=version; SUITE=one of them; ON=kubernetes: end2end on the test cluster)
	@test -n "$(KFP)" || { echo "error: say where the suites are: make conformance-api KFP=DIR" >&2; exit 2; }
	@$(TOOLS) build
	@$(if $(filter kubernetes,$(ON)),$(TOOLS) image,cargo build --quiet -p penstock-cli)
	@python="$$($(TOOLS) python)"; \
	  $(if $(filter kubernetes,$(ON)),tests/cluster/around tests/conformance/on-cluster) \
	    "$$python" tests/conformance/api_suites.py --kfp "$(KFP)" --work "$(PENSTOCK_CACHE)/api-suites" \
	    $(if $(filter kubernetes,$(ON)),,--penstock "$$($(TOOLS) target)/debug/penstock") $(if $(ARGO),--argo "$(ARGO)") \
	    $(if $(SUITE),--suite "$(SUITE)",$(if $(filter kubernetes,$(ON)),--suite end2end)) --write docs/conformance-api.md

cluster: ## Build and start a real one-node Kubernetes for tests, with its images (as root, on Linux)
	@cluster="$$($(TOOLS) cluster)"; \
	  "$$cluster" up; \
	  "$$cluster" images >/dev/null; \
	  echo "to use it: set -a; eval \"\$$($$cluster env)\"; set +a   # sets KUBECONFIG and where the S3 server is"

cluster-down: ## End the test cluster and undo what it did to the machine
	@"$$($(TOOLS) cluster)" down

snapshots: ## Accept changed golden files; read them in the diff
	INSTA_UPDATE=always INSTA_FORCE_PASS=1 cargo test -p penstock-spec -p penstock-engine -p penstock-driver -p penstock-webhook -p penstock-apiserver -p penstock-cli

clean: ## Remove what the checkout built
	cargo clean
	rm -rf .penstock
