"""The rules as they were when an object was decided: kept by hash, compiled once, never mixed.

Rules of this file
* A decision pins the hash of the configuration, which config/kept.py keeps; what is decided is done under it.
* A key is pinned by its id, a keyed digest of nothing secret. Under another key an object would get other pseudonyms,
  so it is held, not sent.
* A recipe is a digest of all that this file says of what steps make of an object: one that comes again under another
  recipe is not what its destinations have (gateway/decide/again.py).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from cryptography import x509

from gateway.config.block import Block
from gateway.config.kept import keep, kept
from gateway.config.load import load
from gateway.config.schema import Config, Pixels, Plugin, Route
from gateway.config.schema import Patients as ByKey
from gateway.config.secrets import resolve
from gateway.decide.check import problems as rule_problems
from gateway.decide.routes import Rules, compile_rules
from gateway.egress import Egress, egress_of
from gateway.errors import GatewayError, HoldObject
from gateway.hosted.names import Names, names_of
from gateway.overrides import Tables
from gateway.patients.lookup import Patients, store
from gateway.pixels.cleaning import How
from gateway.security.reidentification import read_recipients
from gateway.store.lineages import Lineages, lineages_of
from transforms.cda import settings
from transforms.cda.options import Options
from transforms.deidentify.engine import Context
from transforms.errors import TransformError


@dataclass(frozen=True, slots=True)
class Deidentification:
    """One `deidentify:` block, ready to run."""

    tables: Tables
    context: Context
    key_id: str
    patients: Patients
    pixels: How
    features: Plugin | None
    names: Names | None = None  # finds more of them in text that is cleaned
    recipients: tuple[x509.Certificate, ...] = ()  # of encrypted attributes


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One configuration, compiled."""

    digest: str
    config: Config
    rules: Rules
    deidentifications: dict[str, Deidentification]
    routes: dict[str, Route]
    egress: Egress
    reports: dict[str, Options]
    lineages: Lineages
    _recipes: dict[tuple[str, str], str] = field(init=False, repr=False, default_factory=dict)

    def recipe(self, route: str, listener: str) -> str:
        """Of an object that comes by this listener and leaves by this route; "" where the route has no steps."""
        found = self._recipes.get((route, listener))
        if found is None:
            found = self._recipes[route, listener] = self._digested(route, listener)
        return found

    def _digested(self, route: str, listener: str) -> str:
        steps = self.routes[route].steps if route in self.routes else ()
        if not steps:
            return ""
        blocks: list[Block] = [*steps]
        blocks += (self.config.deidentify[step.deidentify] for step in steps if step.deidentify)
        blocks += (self.config.reports[step.cda] for step in steps if step.cda)
        told = [each.model_dump(mode="json", exclude_defaults=True) for each in blocks]
        issuer = next((each.issuer or "" for each in self.config.listeners if each.id == listener), "")
        whole = json.dumps([told, self.key_ids(route), issuer], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def key_ids(self, route: str) -> tuple[str, ...]:
        """One id per step of the route, "" where the step has no key."""
        found = self.routes.get(route)
        return tuple(
            self.deidentifications[step.deidentify].key_id if step.deidentify else ""
            for step in (found.steps if found else ())
        )


def take(file: Path) -> tuple[Config, str]:
    """Load gateway.yaml and keep it by its hash. Raises ConfigRefused with every problem of the file."""
    config = load(file, also=(rule_problems,))
    return config, keep(config)


def compile_ruleset(config: Config, digest: str, *, key: bytes | None = None) -> Ruleset:
    """Compile rules and profiles and read the keys. Raises ConfigRefused or GatewayError, naming no secret.

    `key` stands for every key of the file, which are not read then, nor is any map of patients (cases).
    """
    ready = {}
    given = store(config.state.dir)
    for name, block in config.deidentify.items():
        if key is not None:
            block = block.model_copy(update={"patients": ByKey(), "escrow": None, "encrypted_attributes": None})
        secret = resolve(block.key) if key is None else key
        project = block.project or name
        try:
            tables = Tables(
                block.profile,
                block.options,
                block.override,
                media=block.media,
                documents=block.documents,
                named=block.named_entities is not None,
                places=config.places,
                loc=("deidentify", name, "override"),
            )
        except TransformError as error:
            raise GatewayError(error.reason, f"deidentify {name}: {error.detail}") from error
        context = Context(key=secret, project=project)
        try:
            patients = Patients(block, context, given)
            sealed = block.encrypted_attributes
            recipients = read_recipients(sealed.recipients) if sealed is not None else ()
        except GatewayError as error:
            raise GatewayError(error.reason, f"deidentify {name}: {error.detail}") from error
        ready[name] = Deidentification(
            tables=tables,
            context=context,
            key_id=key_id(secret),
            patients=patients,
            pixels=_pixels(block.pixels),
            features=block.visual_features,
            names=names_of(block.named_entities) if block.named_entities is not None else None,
            recipients=recipients,
        )
    routes = {route.id: route for route in config.routes}
    reports = {name: settings.read(block.model_dump(exclude={"images"})) for name, block in config.reports.items()}
    return Ruleset(
        digest,
        config,
        compile_rules(config),
        ready,
        routes,
        egress_of(config.state.dir),
        reports,
        lineages_of(config.state.dir),
    )


def _pixels(block: Pixels) -> How:
    return How(block.devices, block.text == "look", block.images == "all", block.frames)


def key_id(key: bytes) -> str:
    """16 hex digits that tell one key from another and nothing of either."""
    return hmac.new(key, b"dicom-gateway key id", hashlib.sha256).hexdigest()[:16]


class Rulebook:
    """Every ruleset this worker has needed, by hash. Safe to use from many threads."""

    def __init__(self, state: Path, current: Ruleset) -> None:
        self._state = state
        self._known = {current.digest: current}
        self._lock = Lock()
        self.current = current

    def get(self, digest: str) -> Ruleset:
        """The ruleset of that hash. Raises HoldObject where it is gone: nothing is sent under other rules."""
        with self._lock:
            if digest not in self._known:
                try:
                    self._known[digest] = compile_ruleset(kept(self._state, digest), digest)
                except (OSError, ValueError, GatewayError) as error:
                    raise HoldObject("rules-gone", "the rules this object was decided under cannot be used") from error
            return self._known[digest]
