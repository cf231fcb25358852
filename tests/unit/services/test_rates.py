from __future__ import annotations

import asyncio

from pinfold.services.accounts import Caller, Rates
from pinfold.services.limits import RatesService, Standing

START = 1_800_000.0  # a window of 900 s begins here


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


def caller(token: str, organisation: str = "organisation", **limits: int) -> Caller:
    return Caller(token, "t", organisation, frozenset(), rates=Rates(**limits))


def test_an_organisation_has_so_many_requests_in_a_window_and_then_anew() -> None:
    async def work() -> None:
        clock = Clock()
        rates = RatesService(clock=clock)
        mine = caller("mine", requests=2)
        clock.now += 100.5
        assert await rates.take(mine, is_upload=False) == Standing(2, 1, 800, 900, "requests", False)
        assert await rates.take(mine, is_upload=False) == Standing(2, 0, 800, 900, "requests", False)
        over = await rates.take(mine, is_upload=False)
        assert over is not None and over.is_over
        second_token = await rates.take(caller("a second token", requests=2), is_upload=False)
        assert second_token is not None and second_token.is_over
        other = await rates.take(caller("other", "other", requests=2), is_upload=False)
        assert other is not None and not other.is_over
        clock.now = START + 900
        again = await rates.take(mine, is_upload=False)
        assert again is not None and (again.remaining, again.reset_s) == (1, 900)

    asyncio.run(work())


def test_uploads_have_a_limit_of_their_own_and_the_nearest_is_told() -> None:
    async def work() -> None:
        rates = RatesService(clock=Clock())
        mine = caller("mine", requests=100, uploads=1)
        first = await rates.take(mine, is_upload=True)
        assert first is not None and (first.noun, first.remaining) == ("uploads", 0)
        second = await rates.take(mine, is_upload=True)
        assert second is not None and (second.noun, second.is_over) == ("uploads", True)
        third = await rates.take(mine, is_upload=False)
        assert third is not None and (third.noun, third.is_over) == ("requests", False)

    asyncio.run(work())


def test_a_window_of_a_day_and_the_quota_of_a_day_are_two_counts() -> None:
    async def work() -> None:
        rates = RatesService(clock=Clock())
        mine = caller("mine", requests=10, window_s=86_400, requests_per_day=5)
        standing = await rates.take(mine, is_upload=False)
        assert standing is not None and (standing.limit, standing.remaining) == (5, 4)

    asyncio.run(work())


def test_requests_of_a_day_are_counted_for_the_organisation() -> None:
    async def work() -> None:
        clock = Clock()
        rates = RatesService(clock=clock)
        for token in ("a", "b"):
            standing = await rates.take(caller(token, requests_per_day=2), is_upload=False)
            assert standing is not None and not standing.is_over
        over = await rates.take(caller("c", requests_per_day=2), is_upload=False)
        assert over is not None and over.is_over and over.window_s == 86_400

    asyncio.run(work())


def test_nothing_is_counted_where_there_is_no_limit() -> None:
    async def work() -> None:
        rates = RatesService(anonymous=Rates())
        assert await rates.take(caller("mine"), is_upload=True) is None
        assert await rates.take_anonymous("192.0.2.1") is None

    asyncio.run(work())


def test_addresses_of_one_subscriber_are_one() -> None:
    async def work() -> None:
        rates = RatesService(anonymous=Rates(requests=100), clock=Clock())
        left = [
            (await rates.take_anonymous(address)).remaining  # type: ignore[union-attr]
            for address in (
                "2001:db8::1",
                "2001:db8::ffff:1",
                "2001:db8:0:1::1",
                "192.0.2.1",
                "::ffff:192.0.2.1",
                "no address",
                "",
            )
        ]
        assert left == [99, 98, 99, 99, 98, 99, 99]

    asyncio.run(work())


class Written:
    """Days whose requests are known from elsewhere."""

    number = 0

    async def today(self, organisation_id: str) -> int:
        return self.number


def test_a_day_is_counted_by_whoever_knows_of_more() -> None:
    async def work() -> None:
        days = Written()
        rates = RatesService(days=days, clock=Clock())
        mine = caller("mine", requests_per_day=5)
        for days.number, remaining, is_over in (
            (1, 4, False),
            (1, 3, False),
            (5, 0, False),
            (6, 0, True),
            (0, 0, False),
        ):
            standing = await rates.take(mine, is_upload=False)
            assert standing is not None
            assert (standing.remaining, standing.is_over) == (remaining, is_over)
        standing = await rates.take(mine, is_upload=False)
        assert standing is not None and standing.is_over  # by what was counted here

    asyncio.run(work())
