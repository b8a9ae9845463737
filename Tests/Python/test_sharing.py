"""Packages as others take them: signed by model-signing, shown by a hub."""

import json

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing, verifying


@pytest.fixture
def package(ckpt, golden, tmp_path):
    """A retrofit of a tiny OLMo-2 model in shards, so that there are several files."""
    folder = tmp_path / "package"
    source = golden / "tiny-olmo2" / "source"
    ckpt("retrofit", source, "--select", "0-1/4-7/8-9", "--max-shard-size", "40KB", "-o", folder)
    return folder


@pytest.fixture
def keys(tmp_path):
    """A new private key and its public key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def verify(package, signature, public):
    """Verifies the signature of a folder that it lies in, as the command line of model-signing does."""
    hashes = hashing.Config().set_ignored_paths(paths=[signature])
    config = verifying.Config().use_elliptic_key_verifier(public_key=public)
    config.set_hashing_config(hashes).verify(package, signature)


def test_signature(ckpt, package, keys):
    """Signed as it is; the signature lies in the folder, and catches one changed bit."""
    before = {path.name: path.read_bytes() for path in package.iterdir()}
    signature = package / "model.sig"
    private, public = keys
    signing.Config().use_elliptic_key_signer(private_key=private).sign(package, signature)
    verify(package, signature, public)
    assert {p.name: p.read_bytes() for p in package.iterdir() if p != signature} == before
    assert ckpt.json("verify", package)["ok"]

    weights = next(package.glob("model-00001*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError, match=weights.name):
        verify(package, signature, public)
    assert ckpt.run("verify", package).returncode == 1


def test_root_digest(package):
    """The manifest's root is the digest that model-signing gives the folder without it."""
    config = hashing.Config().set_ignored_paths(paths=[package / "manifest.json"])
    hashed = {str(d.identifier): d.digest for d in config.hash(package).resource_descriptors()}
    manifest = json.loads((package / "manifest.json").read_text())
    assert {name: d.digest_hex for name, d in hashed.items()} == {
        file["path"]: file["sha256"] for file in manifest["files"]
    }
    payload = signing_payload(config.hash(package))
    assert payload == manifest["root"]["digest"]


def signing_payload(manifest):
    """The digest that the signed statement is about."""
    from model_signing._signing.signing import Payload

    return Payload(manifest).statement.pb.subject[0].digest["sha256"]


def test_card(package):
    """The card's front matter is YAML with what a hub looks for."""
    _, matter, body = (package / "README.md").read_text().split("---\n", 2)
    fields = yaml.safe_load(matter)
    assert fields["base_model"] == "source"
    assert fields["base_model_relation"] == "finetune"
    assert fields["library_name"] == "ckpt"
    assert fields["pipeline_tag"] == "text-generation"
    assert fields["tags"] == ["depth-recurrent", "retrofitted-recurrence", "olmo2"]
    assert "| core | 4-7 |" in body and "Not healed yet" in body
