"""What a job server is asked about the jobs it keeps: functions that it answers itself.

Rule 1: they are submitted like any function, in the foreground, so every Gearman client can ask. Rule 2: an answer
leaves after the commit of all that it tells of. Rule 3: what changes jobs, or shows what they were given, is taken from
an `admin` peer only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fleet.jobserver import stores
from fleet.jobserver.job import Function, Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.question import Json, Question, described, described_end, likeness, read_object, senseless
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores import BackedUp, End, Entry, Listed, Refused, Result
from fleet.jobserver.window import WindowBroker
from fleet.protocol import Data, kept
from fleet.protocol.packets import WORK_COMPLETE, WORK_EXCEPTION

GUARDED: Final = frozenset({"cancel", "backup", "workload", "retry", "purge"})


class AskedBroker(WindowBroker):
    """A broker with a store that answers for what it keeps. The arguments are those of `WindowBroker`."""

    __slots__ = ()

    def _answer(self, peer: Peer, name: bytes, unique: bytes, workload: Data, background: bool, now: int) -> Job:
        """Answer a submit of one of the server's own functions; raises Refusal."""
        if background:
            raise Refusal(b"INVALID_ARGUMENT", b"%s is answered at once; submit it in the foreground" % name)
        if name == kept.RESULT.encode():
            return self._wait_for(peer, bytes(workload))
        request = read_object(bytes(workload))
        what = request.get("do")
        do = _DO.get((name.decode(), what)) if isinstance(what, str) else None
        if do is None:
            raise senseless("do is one of " + ", ".join(what for function, what in _DO if function == name.decode()))
        if what in GUARDED and not peer.admin:
            raise Refusal(b"PERMISSION_DENIED", f"{what} is taken from this machine only".encode())
        question = Question(peer, name, self._number(), request)
        do(self, question, now)
        return question.job

    def _number(self) -> bytes:
        """What tells one question from another."""
        return self._new_handle().rpartition(b":")[2]

    # -- results ----------------------------------------------------------------------------------------------

    def _wait_for(self, peer: Peer, handle: bytes) -> Job:
        """Have the peer hear how a background job ends, or ended: its handle is the answer to the submit."""
        job = self.jobs.get(handle)
        if job is not None:
            self._listen(job, peer)
            return job
        asked = Job(handle, Function(kept.RESULT.encode()), b"", b"", b"")
        pending = asked.pending = Pending()

        def looked(found: Entry | Result | None, now: int) -> None:
            if isinstance(found, Entry):
                self._ask_for_entry(stores.Fetch(handle), fetched)
            elif found is None:
                pending.settle(self._unknown(handle))
            else:
                pending.settle(handle)
                self.tell_result((peer,), found)

        def fetched(entry: Entry | None, now: int) -> None:
            if entry is None:  # it ended meanwhile
                self._ask(stores.Look(handle), looked)
                return
            job = self._materialized(entry, now)
            if peer in self.peers:
                self._adopt(job, (peer,))
            pending.settle(handle)

        self._ask(stores.Look(handle), looked)
        return asked

    def _adopt(self, job: Job, listeners: tuple[Peer, ...]) -> None:
        """Whoever was promised to hear of some job hears of this one."""
        job.listeners += listeners
        for listener in listeners:
            listener.listening[job] = None

    def tell_result(self, listeners: tuple[Peer, ...], result: Result) -> None:
        """Tell how a job ended to those who ask for it afterwards."""
        job = Job(result.handle, Function(result.function), b"", b"", b"")
        completed = result.end is End.COMPLETED
        data = result.data if completed or result.data else b"the job was %s" % result.end.encode()
        for listener in listeners:
            listener.news(WORK_COMPLETE if completed else WORK_EXCEPTION, job, data)

    def _unknown(self, handle: bytes) -> Refusal:
        if handle and self._is_ours(handle):
            return Refusal(kept.GONE.encode(), b"The job has ended, and how is not kept any more")
        return Refusal(kept.NOT_FOUND.encode(), b"There never was such a job here")

    # -- looking ----------------------------------------------------------------------------------------------

    def _list_jobs(self, question: Question, now: int, *, dead: bool = False) -> None:
        limit = min(question.number("limit", kept.AT_ONCE_MOST), kept.AT_ONCE_MOST)
        older_s = question.number("older", 0)
        request = stores.ListJobs(
            dead=dead,
            function=question.text("function"),
            until=self._wall_s(now) - older_s if older_s else None,
            after=question.number("after", 0),
            limit=limit,
        )

        def listed(found: list[Listed], now: int) -> None:
            jobs = [self._describe(each, now) for each in found]
            question.answer({"jobs": jobs, "next": found[-1].place if 0 < len(found) == limit else 0})

        self._ask(request, listed)

    def _list_dead(self, question: Question, now: int) -> None:
        self._list_jobs(question, now, dead=True)

    def _show(self, question: Question, now: int) -> None:
        """What is known of one job, by its handle, or by its function and unique."""
        handle, function, unique = map(question.text, ("handle", "function", "unique"))
        if not handle and not (function and unique):
            raise senseless("a job is named by its handle, or by its function and unique")

        def looked(found: Entry | Result | None, now: int) -> None:
            job = self._live(handle, function, unique)
            if isinstance(found, Entry):
                self._show_listed(question, found.handle, dead=False)
            elif job is not None:
                question.answer(self._describe(likeness(job), now))
            elif found is None:
                question.refuse(self._unknown(handle or b""))
            elif found.end is End.DEAD:
                self._show_listed(question, found.handle, dead=True, result=found)
            else:
                question.answer(described_end(found))

        self._ask(stores.Look(handle) if handle else stores.LookNamed(function or b"", unique or b""), looked)

    def _show_listed(self, question: Question, handle: bytes, *, dead: bool, result: Result | None = None) -> None:
        def listed(found: list[Listed], now: int) -> None:
            if found:
                question.answer(self._describe(found[0], now, whole=True))
            elif result is not None:  # it is in the dead letter no more
                question.answer(described_end(result))
            else:
                self._show(question, now)  # it ended meanwhile

        self._ask(stores.ListJobs(dead=dead, handle=handle, limit=1), listed)

    def _live(self, handle: bytes | None, function: bytes | None, unique: bytes | None) -> Job | None:
        if handle:
            return self.jobs.get(handle)
        there = self.functions.get(function or b"")
        return there.uniques.get(unique or b"") if there else None

    def _describe(self, listed: Listed, now: int, *, whole: bool = False) -> Json:
        return described(listed, self.jobs.get(listed.entry.handle), self._wall_s(now), whole=whole)

    def _exhume(self, question: Question, now: int) -> None:
        """The workload of a dead job, as it was submitted."""
        handle = question.text("handle") or b""

        def found(entry: Entry | None, now: int) -> None:
            if entry:
                question.answer(entry.workload)
            else:
                question.refuse(Refusal(kept.NOT_FOUND.encode(), b"There is no such job in the dead letter"))

        self._ask(stores.Exhume(handle), found)

    def _back_up(self, question: Question, now: int) -> None:
        """Say where the copy of the store is, once it is there."""

        def copied(answer: BackedUp | Refused, now: int) -> None:
            if isinstance(answer, Refused):
                question.refuse(Refusal(b"NOT_BACKED_UP", answer.reason.encode()))
            else:
                question.answer({"path": answer.path, "bytes": answer.size})

        self._ask(stores.BackUp(), copied)

    # -- changing ---------------------------------------------------------------------------------------------

    def _cancel(self, question: Question, now: int) -> None:
        """Answered when the store has heard of all, with how many there were."""
        cancelled = 0

        def count(was_there: bool) -> None:
            nonlocal cancelled
            cancelled += was_there

        for handle in question.handles():
            found = self.cancel(handle, now)
            if isinstance(found, Pending):
                found.then(count)
            else:
                count(found)
        self._ask(stores.Look(b""), lambda _, now: question.answer({"cancelled": cancelled}))

    def _retry(self, question: Question, now: int) -> None:
        def revived(entries: list[Entry] | Refused, now: int) -> None:
            if isinstance(entries, Refused):
                question.refuse(Refusal(b"QUEUE_ERROR", entries.reason.encode()))
                return
            for entry in entries:
                self._count(entry, 1)
                self.functions.kept(entry.function).tally.submitted += 1  # anew: it will end a second time
            for name, priority in {(entry.function, entry.priority) for entry in entries}:
                self._refill(self.functions.kept(name), priority)
            question.answer({"retried": len(entries)})

        self._ask(stores.Revive(question.handles()), revived)

    def _purge(self, question: Question, now: int) -> None:
        self._ask(stores.Purge(question.handles()), lambda purged, now: question.answer({"purged": purged}))


_DO: Final[dict[tuple[str, str], Callable[[AskedBroker, Question, int], None]]] = {
    (kept.JOBS, "list"): AskedBroker._list_jobs,
    (kept.JOBS, "show"): AskedBroker._show,
    (kept.JOBS, "cancel"): AskedBroker._cancel,
    (kept.JOBS, "backup"): AskedBroker._back_up,
    (kept.DEAD, "list"): AskedBroker._list_dead,
    (kept.DEAD, "show"): AskedBroker._show,
    (kept.DEAD, "workload"): AskedBroker._exhume,
    (kept.DEAD, "retry"): AskedBroker._retry,
    (kept.DEAD, "purge"): AskedBroker._purge,
}
