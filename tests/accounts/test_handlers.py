from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ottserver.ids import is_id
from tests.accounts.support import PASSWORD, call, person

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from ottserver.accounts.service import AccountService

OWNER = {"email": "owner@example.com", "password": PASSWORD, "name": "Olga"}


async def test_registering_signs_in_and_answers_with_the_session_shape(client: TestClient[Any, Any]) -> None:
    body = {"email": " Ada@Example.com ", "password": PASSWORD, "name": " Ada  Lovelace "}
    status, answer = await call(client, "POST", "register", body)
    assert status == 201
    assert sorted(answer) == ["expires_in", "refresh_token", "token", "user_id"]
    assert is_id(answer["user_id"])
    assert answer["expires_in"] == 900
    status, me = await call(client, "GET", "me", Authorization=f"Bearer {answer['token']}")
    assert status == 200
    assert (me["user_id"], me["email"], me["name"], me["role"]) == (
        answer["user_id"],
        "Ada@Example.com",
        "Ada Lovelace",
        "member",
    )


async def test_a_taken_address_is_409_however_it_is_spelt(client: TestClient[Any, Any]) -> None:
    await person(client, "ada@example.com")
    body = {"email": "ADA@EXAMPLE.com", "password": PASSWORD, "name": "Another"}
    status, answer = await call(client, "POST", "register", body)
    assert status == 409
    assert "already" in answer["detail"]


async def test_signing_in_with_another_spelling_of_the_address_works(client: TestClient[Any, Any]) -> None:
    ada = await person(client, "ada@example.com")
    status, answer = await call(client, "POST", "login", {"email": " ADA@example.COM", "password": PASSWORD})
    assert (status, answer["user_id"]) == (200, ada.user_id)


async def test_wrong_password_and_unknown_address_get_the_same_answer(client: TestClient[Any, Any]) -> None:
    await person(client, "ada@example.com")
    wrong = await call(client, "POST", "login", {"email": "ada@example.com", "password": "not the password"})
    unknown = await call(client, "POST", "login", {"email": "bob@example.com", "password": PASSWORD})
    assert wrong == unknown
    assert wrong[0] == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "no-at-sign", "password": PASSWORD, "name": "A"}, "email"),
        ({"email": "a@example.com", "password": "short", "name": "A"}, "password"),
        ({"email": "a@example.com", "password": "x" * 257, "name": "A"}, "password"),
        ({"email": "a@example.com", "password": PASSWORD, "name": "  "}, "name"),
        ({"email": "a@example.com", "password": PASSWORD, "name": "A\u0000"}, "name"),
        ({"email": "a@example.com", "password": PASSWORD}, "name"),
        ({"email": 5, "password": PASSWORD, "name": "A"}, "email"),
        ({"email": "a@example.com", "password": PASSWORD, "name": "A", "role": "owner"}, "role"),
    ],
)
async def test_a_registration_that_is_not_valid_names_the_field(
    client: TestClient[Any, Any], body: dict[str, object], field: str
) -> None:
    status, answer = await call(client, "POST", "register", body)
    assert status == 422
    assert [error["field"] for error in answer["errors"]] == [field]
    assert "xxxxxxxxxx" not in str(answer)


async def test_after_logout_neither_token_is_good(client: TestClient[Any, Any]) -> None:
    ada = await person(client)
    assert await ada.status("POST", "logout") == 204
    assert await ada.status("GET", "me") == 401
    assert await ada.status("POST", "logout") == 401
    status, _ = await call(client, "POST", "token/refresh", {"refresh_token": ada.refresh_token})
    assert status == 401


async def test_of_simultaneous_logouts_one_ends_the_session_and_the_others_are_401(
    client: TestClient[Any, Any],
) -> None:
    ada = await person(client)
    statuses = await asyncio.gather(*(ada.status("POST", "logout") for _ in range(4)))
    assert sorted(statuses) == [204, 401, 401, 401]


async def test_logout_leaves_other_devices_signed_in(client: TestClient[Any, Any]) -> None:
    phone = await person(client)
    tablet = await person(client, door="login")
    assert await phone.status("POST", "logout") == 204
    assert await tablet.status("GET", "me") == 200


async def test_refresh_without_a_token_says_what_is_missing(client: TestClient[Any, Any]) -> None:
    status, answer = await call(client, "POST", "token/refresh", {})
    assert (status, answer["errors"][0]["field"]) == (401, "refresh_token")


async def test_web_app_lives_on_cookies_alone(client: TestClient[Any, Any]) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
    async with client.post("/api/v1/register", json=body, headers={"X-OTT-Web": "1"}) as response:
        cookies = dict(response.cookies)
    assert set(cookies) == {"ott_access", "ott_refresh"}
    assert all(c["httponly"] and c["samesite"] == "Strict" for c in cookies.values())
    assert (cookies["ott_access"]["path"], cookies["ott_refresh"]["path"]) == ("/", "/api/v1")
    assert (await call(client, "GET", "me"))[0] == 200
    assert (await call(client, "POST", "token/refresh", {}, X_OTT_Web="1"))[0] == 200
    assert (await call(client, "PATCH", "me", {"name": "Bob"}))[0] == 403  # without the header: another site's form
    assert (await call(client, "POST", "logout", X_OTT_Web="1"))[0] == 204
    assert (await call(client, "GET", "me"))[0] == 401
    assert (await call(client, "POST", "token/refresh", {}, X_OTT_Web="1"))[0] == 401


async def test_web_app_can_sign_out_when_only_the_refresh_cookie_is_left(client: TestClient[Any, Any]) -> None:
    ada = await person(client)
    cookie = {"X-OTT-Web": "1", "Cookie": f"ott_refresh={ada.refresh_token}"}
    async with client.post("/api/v1/logout", headers=cookie) as response:
        assert response.status == 204
        assert response.cookies["ott_refresh"]["max-age"] == "0"
    assert await ada.status("GET", "me") == 401


async def test_refresh_cookie_is_not_read_without_the_web_header(client: TestClient[Any, Any]) -> None:
    ada = await person(client)
    status, _ = await call(client, "POST", "token/refresh", {}, Cookie=f"ott_refresh={ada.refresh_token}")
    assert status == 401
    status, _ = await call(client, "POST", "token/refresh", {"refresh_token": ada.refresh_token})
    assert status == 200


async def test_api_clients_get_no_cookies(client: TestClient[Any, Any]) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
    async with client.post("/api/v1/register", json=body) as response:
        assert not response.cookies


async def test_set_up_makes_one_owner_and_is_then_closed(client: TestClient[Any, Any], service: AccountService) -> None:
    code = await service.set_up_code()
    assert code
    assert await call(client, "GET", "setup") == (200, {"needed": True, "registration": True})
    status, answer = await call(client, "POST", "setup", OWNER | {"code": "AAAAA-AAAAA"})
    assert (status, answer["errors"][0]["field"]) == (403, "code")
    status, answer = await call(client, "POST", "setup", OWNER | {"code": code.lower().replace("-", " ")})
    assert status == 201
    _, me = await call(client, "GET", "me", Authorization=f"Bearer {answer['token']}")
    assert me["role"] == "owner"
    assert await call(client, "GET", "setup") == (200, {"needed": False, "registration": True})
    assert (await call(client, "POST", "setup", OWNER | {"code": code, "email": "x@example.com"}))[0] == 409
    assert await service.set_up_code() is None


async def test_last_owner_cannot_be_deleted_and_an_earlier_one_can(
    client: TestClient[Any, Any], service: AccountService
) -> None:
    await service.create_account("one@example.com", "One", PASSWORD, "owner")
    one = await person(client, "one@example.com", "login")
    assert await one.status("DELETE", "me") == 409
    await service.create_account("two@example.com", "Two", PASSWORD, "owner")
    assert await one.status("DELETE", "me") == 204


async def test_deleted_account_is_gone_with_its_tokens_and_its_address_is_free(client: TestClient[Any, Any]) -> None:
    phone = await person(client)
    tablet = await person(client, door="login")
    assert await phone.status("DELETE", "me") == 204
    assert await tablet.status("GET", "me") == 401
    assert (await call(client, "POST", "token/refresh", {"refresh_token": tablet.refresh_token}))[0] == 401
    assert (await call(client, "POST", "login", {"email": "ada@example.com", "password": PASSWORD}))[0] == 401
    assert (await person(client)).user_id != phone.user_id


async def test_export_holds_account_devices_and_what_other_rooms_add(client: TestClient[Any, Any]) -> None:
    ada = await person(client)
    status, held = await call(client, "GET", "me/export", **ada.headers)
    assert status == 200
    assert held["account"]["email"] == "ada@example.com"
    assert len(held["sessions"]) == 1
    assert held["echo"] == {"account_id": ada.user_id}
    assert "password" not in str(held)


async def test_new_password_needs_the_current_one_and_signs_other_devices_out(client: TestClient[Any, Any]) -> None:
    phone = await person(client)
    tablet = await person(client, door="login")
    new = {"password": "another good password"}
    status, answer = await call(client, "PATCH", "me", new | {"current_password": "wrong"}, **phone.headers)
    assert (status, answer["errors"][0]["field"]) == (403, "current_password")
    status, _ = await call(client, "PATCH", "me", new | {"current_password": PASSWORD}, **phone.headers)
    assert status == 200
    assert await phone.status("GET", "me") == 200
    assert await tablet.status("GET", "me") == 401
    assert (await call(client, "POST", "login", {"email": "ada@example.com", "password": PASSWORD}))[0] == 401
    assert (await call(client, "POST", "login", {"email": "ada@example.com", **new}))[0] == 200


async def test_name_changes_without_the_password_and_a_taken_address_is_refused(client: TestClient[Any, Any]) -> None:
    await person(client, "bob@example.com")
    ada = await person(client)
    status, me = await call(client, "PATCH", "me", {"name": "Countess"}, **ada.headers)
    assert (status, me["name"], me["email"]) == (200, "Countess", "ada@example.com")
    body = {"email": "BOB@example.com", "current_password": PASSWORD}
    assert (await call(client, "PATCH", "me", body, **ada.headers))[0] == 409


async def test_devices_are_listed_and_can_be_signed_out(client: TestClient[Any, Any]) -> None:
    phone = await person(client)
    tablet = await person(client, door="login")
    status, listed = await call(client, "GET", "me/sessions?limit=1", **tablet.headers)
    assert (status, listed["total"], listed["has_more"]) == (200, 2, True)
    assert listed["results"][0]["current"]
    assert listed["results"][0]["device"].startswith("Python/")
    _, listed = await call(client, "GET", "me/sessions?limit=1&page=2", **tablet.headers)
    assert await tablet.status("DELETE", f"me/sessions/{listed['results'][0]['session_id']}") == 204
    assert await phone.status("GET", "me") == 401
    assert await tablet.status("DELETE", f"me/sessions/{listed['results'][0]['session_id']}") == 404


async def test_nobody_ends_the_session_of_another_account(client: TestClient[Any, Any]) -> None:
    ada, eve = await person(client), await person(client, "eve@example.com")
    _, listed = await call(client, "GET", "me/sessions", **ada.headers)
    assert await eve.status("DELETE", f"me/sessions/{listed['results'][0]['session_id']}") == 404
    assert await ada.status("GET", "me") == 200
