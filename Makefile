# Targets:
#   check      formatting, unsafe gate, strict build, all tests (Scripts/check.sh)
#   test       set up the machine, then check (Scripts/test.sh)
#   python-tests  what torch and transformers make of ckpt's output (Scripts/test_python.sh)
#   engines    serve exported folders with vLLM and mlx-lm (Scripts/test_engines.sh); half an hour
#   mpi        build with MPI, train by several processes (Scripts/test_mpi.sh)
#   library    build the library's example with a dependency by version, and run it (Scripts/test_library.sh)
#   aarch64    run the kernels in C for arm64 under qemu (Scripts/test_aarch64.sh)
#   distribution  an archive of a release build, with its digest and bill of materials
#   reproducible  the same, built twice from nothing, and compared byte for byte
#   container  build the image of Containerfile with podman, or CONTAINER=docker
#   docs       build the documentation site into build/site (Scripts/docs.sh)
#   docs-tests run the commands of README and docs/ (Scripts/test_docs.py)
#   demo       set up, release build, main job on the shipped model (Scripts/demo.sh)
#   format     rewrite all Swift files in the project's format
#   smollm2    download SmolLM2-135M-Instruct (98 MB) into build/real, run the main job on it
#   gemma3     download Gemma 3 270M (238 MB) into build/real; read, write, retrofit and verify it
#   healing    heal a SmolLM2 retrofit on English prose: the figures of docs/healing.md (ten minutes)
#   evidence   does a retrofit pay? All arms at equal FLOPs, many seeds: hours; goes on where it was stopped
#   evidence-quick  the same at a tiny scale, in minutes
#   evidence-smollm2  a few of the arms from SmolLM2-135M, which is downloaded: hours
#   oracles    make .venv with the Python packages that made the fixtures
#   fixtures   train the shipped model and write the texts beside it again (minutes)
#   fuzz       libFuzzer on every reader, SECONDS=60 each; or fuzz-safetensors,
#              fuzz-torch, fuzz-gguf, fuzz-parquet, fuzz-arrow, fuzz-tokenizers, fuzz-chat,
#              fuzz-config, fuzz-package, fuzz-training
#   sanitize   readers and kernels under AddressSanitizer, threads under ThreadSanitizer (Scripts/sanitize.sh)
#   faults     every call to the system fails once, in every command (Scripts/faults/sweep.py)
#   bench      all benchmarks against their peers (Benchmarks/run.sh); needs an idle machine
#   clean      remove build products

.PHONY: check test python-tests engines mpi library aarch64 distribution reproducible container docs \
	docs-tests demo format smollm2 gemma3 healing evidence evidence-quick evidence-smollm2 oracles \
	fixtures sanitize faults fuzz fuzz-safetensors fuzz-torch fuzz-gguf fuzz-parquet fuzz-arrow fuzz-tokenizers fuzz-chat \
	fuzz-config fuzz-package fuzz-training bench clean

check:
	Scripts/check.sh

test:
	Scripts/test.sh

python-tests:
	Scripts/test_python.sh

engines:
	Scripts/test_engines.sh

mpi:
	Scripts/test_mpi.sh

library:
	Scripts/test_library.sh

aarch64:
	Scripts/test_aarch64.sh

distribution:
	Scripts/distribution.sh

reproducible:
	Scripts/distribution.sh --twice

CONTAINER = podman
container:
	$(CONTAINER) build -t ckpt -f Containerfile --build-arg CKPT_COMMIT="$$(Scripts/commit.sh)" .

docs:
	Scripts/docs.sh

docs-tests:
	Scripts/test_docs.py

demo:
	Scripts/demo.sh

format:
	swift format --in-place --recursive Sources Tests Fuzz Package.swift \
		Benchmarks/Sources Benchmarks/Package.swift Examples

smollm2:
	Scripts/smollm2.sh

gemma3:
	Scripts/gemma3.sh

healing:
	Scripts/healing.sh

evidence:
	Scripts/evidence.sh

evidence-quick:
	Scripts/evidence.sh --quick

evidence-smollm2:
	Scripts/smollm2.sh fetch
	Scripts/evidence.sh --smollm2

oracles: .venv/bin/python

.venv/bin/python: Scripts/requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --requirement Scripts/requirements.txt
	touch $@

fixtures: oracles
	.venv/bin/python Scripts/make_embedded_model.py

SECONDS ?= 60

fuzz: fuzz-safetensors fuzz-torch fuzz-gguf fuzz-parquet fuzz-arrow fuzz-tokenizers fuzz-chat \
	fuzz-config fuzz-package fuzz-training

fuzz-safetensors fuzz-torch fuzz-gguf fuzz-parquet fuzz-arrow fuzz-tokenizers fuzz-chat \
fuzz-config fuzz-package fuzz-training:
	Scripts/fuzz.sh $(@:fuzz-%=%) $(SECONDS)

sanitize:
	Scripts/sanitize.sh

faults:
	CKPT_STRICT=1 swift build
	Scripts/faults/sweep.py

bench:
	Benchmarks/run.sh

clean:
	rm -rf .build Benchmarks/.build build
