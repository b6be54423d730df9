"""The page to join a program, and the poster that leads to it."""

from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import HTML, PUBLIC, Answer, Call, Resource, too_large
from chalicelib.api.limits import limited
from chalicelib.api.members import ChangeRequest
from chalicelib.api.page_texts import languages_asked, texts_in
from chalicelib.api.pages import PRIVATE, page, poster_page, sorry
from chalicelib.domain.errors import Refusal
from chalicelib.domain.members.member import Consent, Profile
from chalicelib.domain.program.join import JoinDocument
from chalicelib.domain.program.program import Program, current_terms, link_of
from chalicelib.domain.texts import text_in
from chalicelib.kernel.clock import local_date
from chalicelib.services import joining, passes
from chalicelib.services.context import Here, enter

resource = Resource(__name__, "joining")

FORM = "application/x-www-form-urlencoded"
_TYPES = {"email": "email", "phone": "tel", "birthday": "date"}
_COMPLETE = {"given_name": "given-name", "family_name": "family-name", "phone": "tel"}
_NO_PAGE = Refusal("not_found", "there is no such page")
_MOST_BYTES = 20_000
_CODE = "referral_code"
_LONGEST_CODE = 40
_TRAP = "website"  # nobody sees it, so only a machine fills it in


@dataclass(frozen=True)
class _Visit:
    """A program that people can join, and the language of who looks at it."""

    here: Here
    program: Program
    terms: JoinDocument
    language: str

    @property
    def texts(self) -> dict[str, str]:
        return texts_in(self.language)

    def read(self, text: str | dict[str, str]) -> str:
        return escape(text_in(text, self.language, self.program.language))


class JoinQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code of the member who sent the visitor here."""

    code: Annotated[str, Meta(max_length=40)] = ""


@resource.endpoint("GET", "/join/{program_id}", callers=PUBLIC, query=JoinQuery, answer_type=HTML)
def show_form(call: Call, program_id: str) -> Answer | Refusal:
    """Show the form to join, in the visitor's language."""
    visit = _visit(call, program_id)
    if isinstance(visit, Refusal):
        return sorry(call.header("accept-language"), visit)
    return _form(call, visit)


@resource.endpoint(
    "POST",
    "/join/{program_id}",
    callers=PUBLIC,
    query=JoinQuery,
    body=bytes,
    body_types=(FORM,),
    status=HTTPStatus.SEE_OTHER,
    answer_type=HTML,
)
def send_form(call: Call, program_id: str) -> Answer | Refusal:
    """Join, and go on to the card."""
    visit = _visit(call, program_id)
    if isinstance(visit, Refusal):
        return sorry(call.header("accept-language"), visit)
    if len(call.body) > _MOST_BYTES:
        return too_large(_MOST_BYTES)
    try:
        form = {name: values[0] for name, values in _fields(call.body).items()}
    except ValueError:
        return _form(call, visit, {})
    profile = _profile(visit, form)
    if profile is None or form.get(_TRAP):
        return _form(call, visit, form)
    code = form.get(_CODE, "")[:_LONGEST_CODE]
    key = joining.join(call.context, visit.here, profile, form.get("token", ""), code, call.address)
    if isinstance(key, Refusal):
        return _form(call, visit, form)
    link = f"{call.base_url}/p/{passes.link_token(call.context, key)}"
    return Answer("", headers={"Location": link, **PRIVATE})


@resource.endpoint("GET", "/join/{program_id}/poster", callers=PUBLIC, answer_type=HTML)
def show_poster(call: Call, program_id: str) -> Answer | Refusal:
    """Show a poster to print: a code that leads to the form."""
    visit = _visit(call, program_id)
    if isinstance(visit, Refusal):
        return sorry(call.header("accept-language"), visit)
    address = f"{call.base_url}/join/{visit.here.program_id}"
    title = visit.texts["scan_to_join"]
    code = call.runtime.looks.code(address, title)
    return Answer(poster_page(visit.language, visit.program.name, code), headers=PRIVATE)


def _visit(call: Call, program_id: str) -> _Visit | Refusal:
    if refusal := limited(call, "join"):
        return refusal
    here = enter(call.context, program_id)
    program = call.context.catalog.current(here.program) if here else None
    if here is None or program is None or program.join is None:
        return _NO_PAGE
    asked = languages_asked(call.header("accept-language"))
    known = (
        one for name in asked for one in (name, name.partition("-")[0]) if one in program.languages
    )
    return _Visit(here, program, program.join, next(known, program.language))


def _fields(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode("utf-8"), max_num_fields=40, errors="strict")


def _profile(visit: _Visit, form: dict[str, str]) -> Profile | None:
    """What was filled in; None where something cannot be right, or the terms are not accepted."""
    given = {name: form[name].strip() for name in visit.terms.ask if form.get(name, "").strip()}
    try:
        msgspec.convert(given, ChangeRequest)
    except msgspec.ValidationError:
        return None
    now = visit.here.now
    today = local_date(now, visit.program.zone)
    terms = current_terms(visit.program.terms, today)
    if terms and form.get("terms") != "yes":
        return None
    consents = tuple(
        Consent(one.purpose, form.get(f"consent_{at}") == "yes", one.version, now, joining.SOURCE)
        for at, one in enumerate(visit.terms.consents)
    )
    return Profile(
        **given,  # type: ignore[arg-type]
        locale=visit.language,
        consents=consents,
        terms_version=terms,
        privacy_version=current_terms(visit.program.privacy, today),
    )


def _form(call: Call, visit: _Visit, wrong: dict[str, str] | None = None) -> Answer:
    """The form; with what was filled in, where something of it is `wrong`."""
    given = wrong or {}
    texts, name = visit.texts, escape(visit.program.name)
    title = texts["join"].format(program=visit.program.name)
    today = local_date(visit.here.now, visit.program.zone)
    parts = [f"<h1>{escape(title)}</h1>"]
    if wrong is not None:
        parts.append(f'<p role="alert">{texts["again"]}</p>')
    parts.append('<form method="post">')
    parts += [_input(one, texts, given.get(one, "")) for one in visit.terms.ask]
    for at, one in enumerate(visit.terms.consents):
        name_of_box = f"consent_{at}"
        parts.append(_box(name_of_box, visit.read(one.text), name_of_box in given))
    if current_terms(visit.program.terms, today):
        said = texts["accept_terms"].format(program=name)
        parts.append(_box("terms", said, "terms" in given, needed=True))
    for versions, label in ((visit.program.terms, "terms"), (visit.program.privacy, "privacy")):
        url = link_of(versions, today)
        if url is not None:
            parts.append(f'<p><a href="{escape(url)}" rel="noreferrer">{texts[label]}</a></p>')
    token = joining.form_token(call.context, visit.here)
    code = given.get(_CODE, "")[:_LONGEST_CODE] or call.query.code
    if code:
        parts.append(f'<input type="hidden" name="{_CODE}" value="{escape(code)}">')
    parts.append(
        f'<input type="hidden" name="token" value="{escape(token)}">'
        f'<p class="away" aria-hidden="true"><label>Website <input name="{_TRAP}" tabindex="-1" '
        f'autocomplete="off"></label></p><button>{texts["get_card"]}</button></form>'
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong is not None else HTTPStatus.OK
    return Answer(page(visit.language, title, "\n".join(parts)), status, PRIVATE)


def _input(name: str, texts: dict[str, str], value: str) -> str:
    kind = _TYPES.get(name, "text")
    complete = _COMPLETE.get(name, {"email": "email", "birthday": "bday"}.get(name, "off"))
    return (
        f"<label>{texts[name]} <small>({texts['optional']})</small>"
        f'<input name="{name}" type="{kind}" autocomplete="{complete}" maxlength="254" '
        f'value="{escape(value)}"></label>'
    )


def _box(name: str, text: str, ticked: bool, needed: bool = False) -> str:
    how = (" required" if needed else "") + (" checked" if ticked else "")
    return f'<label><input type="checkbox" name="{name}" value="yes"{how}> {text}</label>'
