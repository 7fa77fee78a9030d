"""Whose offline list it is: the keys of cabinets and of the community, and who may ask."""

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy.orm import Session

from core import clock
from core.sealing import derived_key
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.firmware import Firmware
from tests.lockers.hall import MINUTE

LIST, KEY = "/api/v1/device/offline-list", "/api/v1/device/public-key"
AT = NOON + 10 * MINUTE


@pytest.fixture
def k1(community: Community) -> Firmware:
    """Cabinet K1, set up, with its list."""
    hall.add_cabinet(community)
    cabinet = Firmware(community.client, "K1", community.tokens["K1"])
    with clock.at(AT):
        cabinet.install()
        assert cabinet.fetch() == 200
    return cabinet


def test_without_a_key_there_is_no_list(community: Community) -> None:
    hall.add_cabinet(community)
    answer = community.client.get(LIST, headers=community.as_device("K1"))
    assert (answer.status_code, answer.get_json()["code"]) == (409, "no-public-key")


def test_only_a_cabinets_device_has_a_list(community: Community, k1: Firmware) -> None:
    public = k1.key.as_dict(private=False)
    for headers, status in (
        ({}, 401),
        (community.as_person("ana"), 401),
        (community.as_person("olga"), 401),
        (community.as_person("ada"), 401),
        (community.as_device("entry"), 403),
    ):
        assert community.client.get(LIST, headers=headers).status_code == status
        assert community.client.put(KEY, json=public, headers=headers).status_code == status
        bad = community.client.put(KEY, json={"kty": "RSA"}, headers=headers)
        assert bad.status_code == status  # a stranger learns nothing of the rules


GOOD = {"kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kty", "EC"),
        ("crv", "Ed25519"),
        ("crv", None),
        ("x", GOOD["x"][:-1]),
        ("x", GOOD["x"] + "="),
        ("x", GOOD["x"][:-1] + "p"),  # the same bytes, written another way
        ("x", GOOD["x"] + "\n"),
        ("x", 5),
        ("x", "A" * 43),  # of small order: the shared secret would be known to all
        ("x", "AQ" + "A" * 41),
        ("d", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo"),
        ("kid", "mine"),
    ],
)
def test_a_key_that_is_none_is_refused_by_its_field(
    community: Community, session: Session, field: str, value: object
) -> None:
    hall.add_cabinet(community)
    answer = community.client.put(
        KEY, json={**GOOD, field: value}, headers=community.as_device("K1")
    )
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, [field])
    assert hall.ask(session, "SELECT public_key FROM cabinet") == [{"public_key": None}]


def test_a_new_key_means_a_new_list_and_operators_see_it(
    community: Community, k1: Firmware, session: Session
) -> None:
    with clock.at(AT):
        k1.install()  # the same key again
        assert k1.fetch() == 304
    assert hall.cases(session) == []
    k1.key = OKPKey.generate_key("X25519")
    with clock.at(AT):
        k1.install()
        assert k1.fetch() == 200
    assert hall.cases(session) == ["cabinet-key-changed"]


def test_the_published_key_is_the_same_for_every_process_and_no_other_purpose(
    community: Community,
) -> None:
    published = community.client.get("/api/v1/cabinets/signing-key").get_json()
    assert published == community.client.get("/api/v1/cabinets/signing-key").get_json()
    assert published["kid"] == OKPKey.import_key(published).thumbprint()
    assert "d" not in published
    assert derived_key("k" * 32, "a") == derived_key("k" * 32, "a")
    assert derived_key("k" * 32, "a") not in {derived_key("k" * 32, "b"), derived_key("j", "a")}
