# The only door: `make` lists what it can do. Every target gets what it lacks first (deploy/local/bootstrap.sh).
# Standard output belongs to the programmes' answers; building and fetching speak on standard error.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
export PATH := $(CURDIR)/.tools/bin:$(PATH)

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
LOCAL      := $(TARGET_DIR)/debug/vouch-local
BOOTSTRAP  := @deploy/local/bootstrap.sh
# One command for the demo and the tests alike, so that neither compiles what the other has compiled.
BUILD      := @cargo build --workspace --bins

FORMAT     ?= human
DB         ?= sqlite
INPUT      ?=
PORT       ?=
TEST_CLOCK ?=
BY         ?=
TO         ?=
AS         ?=
BUG        ?=
KILLS      ?= 100
SEED       ?=
PAGE       ?=
TESTS      ?= all()
PROFILE    ?= default
SIZE       ?= full
EARNINGS   ?=
ONLY       ?=

PORT_FLAG     := $(if $(PORT),--first-port '$(PORT)')
START_FLAGS   := --db $(DB) $(PORT_FLAG) $(if $(filter-out 0,$(TEST_CLOCK)),--test-clock)
DEMO_FLAGS    := --db $(DB) --format $(FORMAT)
ADVANCE_FLAGS := $(PORT_FLAG) $(if $(BY),--by '$(BY)') $(if $(TO),--to '$(TO)')

# A file may be called anything: its name goes through the environment, where no shell reads it.
ifneq ($(value INPUT),)
export VOUCH_INPUT := $(value INPUT)
endif

ifeq ($(filter sqlite postgres,$(DB)),)
$(error DB is '$(DB)': it can be sqlite or postgres)
endif
ifeq ($(filter human json,$(FORMAT)),)
$(error FORMAT is '$(FORMAT)': it can be human or json)
endif
ifeq ($(filter small full,$(SIZE)),)
$(error SIZE is '$(SIZE)': it can be small or full)
endif
NEEDS := $(if $(filter postgres,$(DB)),postgres,build)

.PHONY: help
help: ## List the targets and their variables.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 } /^#:/ { printf "  %20s %s\n", "", substr($$0, 4) }' Makefile

.PHONY: setup
setup: ## Get all that is missing on this machine; the other targets do it for themselves.
	$(BOOTSTRAP) all

.PHONY: demo
demo: ## Tell the story of one referral on real services, NATS and databases, then stop everything.
#: FORMAT=json (one line of JSON instead)  DB=sqlite|postgres  INPUT=earnings.csv (your own earnings)
	$(BOOTSTRAP) $(NEEDS)
	$(BUILD)
	@$(LOCAL) demo $(DEMO_FLAGS)

.PHONY: run
run: ## Keep NATS and the four services running on 127.0.0.1, ports 7101 to 7104; Ctrl-C stops them.
#: TEST_CLOCK=1 (time stands still until 'make advance')  DB=sqlite|postgres  PORT=7201 (the first of the four ports)
	$(BOOTSTRAP) $(NEEDS)
	$(BUILD)
	@exec $(LOCAL) run $(START_FLAGS)

.PHONY: advance
advance: ## Move the test clock of 'make run TEST_CLOCK=1', from due timer to due timer.
#: BY=3months|5days|36hours|90minutes  or  TO=2026-01-15T09:30:00Z|2026-01-15 (its first moment, UTC)
#: PORT=7201 (as given to 'make run')
	$(if $(strip $(BY)$(TO)),,$(error say how far: make advance BY=3months, or TO=2026-01-01T00:00:00Z))
	$(BOOTSTRAP) build
	$(BUILD)
	@$(LOCAL) advance $(ADVANCE_FLAGS)

.PHONY: token
token: ## Print a token with which to call the services of 'make run': make -s token AS=operator
#: AS=operator|client:<id>|person:<id>|service:<name>
	$(if $(strip $(AS)),,$(error say whose: make -s token AS=operator, or client:<id>, person:<id>, service:<name>))
	$(BOOTSTRAP) build
	$(BUILD) --quiet
	@$(LOCAL) token --as '$(AS)'

.PHONY: test
test: ## Run every test, on SQLite, PostgreSQL and a real nats-server.
#: TESTS='package(vouch-storage)' (a nextest filter: all tests are built, these are run)  PROFILE=default|ci
	$(BOOTSTRAP) test
	@cargo nextest run --workspace --profile $(PROFILE) -E '$(TESTS)'

.PHONY: test-long
test-long: ## Run the long tests, those whose names begin with long_; each says how long it takes.
#: TESTS='...' as above
	$(BOOTSTRAP) test
	@cargo nextest run --workspace --profile long --run-ignored only --no-capture -E '$(TESTS)'

.PHONY: storm
storm: ## Kill processes of a fresh system while people use it, then compare the books with what an oracle expects.
#: KILLS=100 (at least so many)  DB=sqlite|postgres  SEED=17
	$(BOOTSTRAP) test
	$(BUILD)
	@$(LOCAL) storm --db $(DB) --kills '$(KILLS)' $(if $(SEED),--seed '$(SEED)')

.PHONY: bench
bench: ## Measure the speed of an earning's path, of its parts and of unary calls; nothing else should run meanwhile.
#: SIZE=full|small (half an hour, or a minute)  EARNINGS=50000 (so many instead)  ONLY=path|bus|calls|commits|lookups|monday|stored|"path sqlite 512"
	$(BOOTSTRAP) test
	@VOUCH_BENCH_SIZE='$(SIZE)' VOUCH_BENCH_EARNINGS='$(EARNINGS)' VOUCH_BENCH_ONLY='$(ONLY)' \
		VOUCH_BENCH_OUT='$(abspath $(TARGET_DIR))/bench' cargo bench --workspace --bench speed

.PHONY: planted
planted: ## Make the mistakes of tests/planted/bugs.toml, one by one, and check that the tests notice each.
#: BUG='a part of its name'
	$(BOOTSTRAP) test
	@python tests/planted/run.py $(BUG)

.PHONY: lint
lint: ## Check formatting, clippy, dependencies (licences, sources, advisories), and the contracts: style, format, compatibility.
	$(BOOTSTRAP) all
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@cargo deny check bans licenses sources
	@if cargo deny fetch db 2>/dev/null; then cargo deny check advisories; \
	else echo "SKIPPED: known vulnerabilities and yanked versions, as github.com/RustSec/advisory-db cannot be fetched" >&2; fi
	@buf lint proto
	@buf format proto -d --exit-code
	@buf breaking proto --against proto/baseline.binpb

.PHONY: deploy-check
deploy-check: ## Check deploy/ without a cluster: schemas, references, style, and that the programs take the settings.
	$(BOOTSTRAP) all
	$(BUILD)
	@python deploy/check '$(TARGET_DIR)/debug'

.PHONY: readme
readme: ## Run the commands of README.md and docs/by-hand.md as they stand there, and compare what they print.
#: PAGE=docs/by-hand.md (that one alone)
	$(BOOTSTRAP) build
	$(BUILD)
	@python tests/readme '$(TARGET_DIR)/debug' $(PAGE)

.PHONY: mail-previews
mail-previews: ## Make pictures of every letter that invites somebody, as a phone and as a desk show it, in target/mail-previews/.
	$(BOOTSTRAP) previews
	@deploy/local/mail-previews.sh services/invitation/tests/golden '$(TARGET_DIR)/mail-previews'
	@deploy/local/mail-previews.sh services/referral/tests/golden '$(TARGET_DIR)/mail-previews'

.PHONY: proto-baseline
proto-baseline: ## Accept the contracts as they are now as the baseline that 'make lint' compares with.
	$(BOOTSTRAP) build
	@buf build proto --exclude-source-info -o proto/baseline.binpb

.PHONY: clean
clean: ## Remove what was built (target/) and data/, where services that are started by hand keep theirs; .tools/ stays.
	@cargo clean
	@rm -rf data
