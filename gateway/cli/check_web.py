"""What `check` finds outside the file for DICOMweb: key sets of tokens, secrets and anchors of token servers."""

from __future__ import annotations

from gateway.config.problems import Loc, Problem
from gateway.config.schema import Config, ServiceTls, Tls
from gateway.config.secrets import resolve
from gateway.errors import GatewayError
from gateway.security import tls


def problems(config: Config) -> list[Problem]:
    """Every problem of what listeners and destinations name."""
    found: list[Problem] = []
    for number, listener in enumerate(config.listeners):
        bearer = listener.stow.bearer if listener.stow else None
        if bearer is None:
            continue
        from gateway.web.bearer import key_set, read_keys  # what verifies tokens

        loc: Loc = ("listeners", number, "stow", "bearer")
        if bearer.tls is not None:
            found += _service(config, bearer.tls, (*loc, "tls"))
        if bearer.keys is not None:
            try:
                key_set(read_keys(bearer.keys))
            except GatewayError as error:
                found.append(config.places.at_value((*loc, "keys"), str(error)))
    for name, destination in config.destinations.items():
        oauth = destination.stow.oauth if destination.stow else None
        if oauth is None:
            continue
        loc = ("destinations", name, "stow", "oauth")
        found += _service(config, oauth.tls, (*loc, "tls"))
        try:
            resolve(oauth.client_secret)
        except GatewayError as error:
            found.append(config.places.at_value((*loc, "client_secret"), str(error)))
    return found


def _service(config: Config, block: ServiceTls, loc: Loc) -> list[Problem]:
    plain = Tls.model_validate({"profile": block.profile, "trust": block.trust, "crl": block.crl})
    texts = tls.problems(plain, block.identity, server=False, anonymous=block.identity is None)
    return [config.places.at_value(loc, text) for text in texts]
