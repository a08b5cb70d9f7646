"""One question for everybody: enough for all who wait, and never an answer from before somebody asked."""

import asyncio

from suite.controller.confirmation import Confirmation


class Desk:
    """Somebody who is asked, and answers when the test says so."""

    def __init__(self):
        self.questions = 0
        self.truth = True
        self.may_answer = asyncio.Event()

    async def ask(self):
        self.questions += 1
        seen = self.truth
        await self.may_answer.wait()
        return seen


async def pause():
    """Let everybody go on as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_all_who_ask_at_once_cost_one_question():
    async def story():
        desk = Desk()
        confirmation = Confirmation(desk.ask)
        desk.may_answer.set()

        answers = await asyncio.gather(*(confirmation.answer() for _ in range(16)))

        assert (answers, desk.questions) == ([True] * 16, 1)

    asyncio.run(story())


def test_who_asks_while_a_question_is_on_its_way_gets_the_answer_to_the_next():
    async def story():
        desk = Desk()
        confirmation = Confirmation(desk.ask)
        early = asyncio.create_task(confirmation.answer())
        await pause()
        desk.truth = False
        late = [asyncio.create_task(confirmation.answer()) for _ in range(16)]
        await pause()
        desk.may_answer.set()

        assert (await early, await asyncio.gather(*late), desk.questions) == (True, [False] * 16, 2)

    asyncio.run(story())


def test_who_gives_up_leaves_the_others_their_answer():
    async def story():
        desk = Desk()
        confirmation = Confirmation(desk.ask)
        hasty, patient = (asyncio.create_task(confirmation.answer()) for _ in range(2))
        await pause()
        hasty.cancel()
        await pause()
        desk.may_answer.set()

        assert await patient is True

    asyncio.run(story())
