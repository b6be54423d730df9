"""Programs that contradict themselves are refused at publication, each with line and reason."""

import re
from copy import deepcopy
from typing import Any

import pytest
import yaml

from chalicelib.adapters.memory.store import memory_store
from tests.fakes.shop import Shop

GOOD: dict[str, Any] = yaml.safe_load("""
name: Corner Shop
time_zone: Europe/Berlin
money: EUR
currencies:
  points: {label: Points, expires: {months: 12, end_of: month}}
  credit: {label: Credit}
activities:
  run: {properties: {meters: number, indoor: truth, place: text}}
counters:
  spend: {of: spend, window: year}
  stars: {of: points, currency: points}
  meters: {of: activity, activity: run, property: meters}
tiers:
  kept: to_end_of_next_period
  levels:
    - {id: silver, label: Silver}
    - {id: gold, label: Gold, at_least: {spend: 10000}}
    - {id: black, label: Black, at_least: {spend: 20000}}
segments:
  staff: {attributes: {staff: [true]}}
  lively: {counters: {stars: {at_least: 5}}, last: {counter: stars, within_days: 30}}
campaigns:
  fair: {starts: "2027-01-01", ends: "2027-01-31"}
  gift: {budget: {points: 1000}}
groups:
  one: {pays: best}
earn:
  - {id: base, kind: per_amount, currency: points, per: 100, if: {tiers: [gold], min_total: 100}}
  - {id: alone, kind: per_order, currency: points, stacking: exclusive, campaign: fair}
  - {id: far, kind: per_activity, currency: points, activity: run, property: meters, campaign: gift}
  - {id: miss, kind: on_occasion, currency: points, occasion: inactivity, after_days: 90}
multipliers:
  - {id: double, currency: points, percent: 200, rules: [base], if: {when: "total > 100"}}
discounts:
  - {id: ten, kind: percent, percent: 10, group: one}
  - {id: code, kind: percent, percent: "2.5", by_code: true}
  - id: ladder
    kind: ladder
    counter: spend
    steps: [{at: 100, percent: 1}, {at: 200, percent: 2}]
access:
  - id: early
    include: {skus: [a]}
    since: "2027-02-01T10:00:00Z"
    early: [{since: "2027-01-31T10:00:00Z"}]
codes:
  WELCOME: {discount: code, uses: 10}
plans:
  prime:
    name: Prime
    benefits: [shipping, lounge]
    trial_days: 7
    welcome: {currency: points, amount: 100}
    grace: {days: 3, benefits: [shipping]}
    refunds: {less_benefits: {days: 3}, withdrawal_days: {DE: 14}}
    prices:
      - {id: monthly, every: month, amount: 1000, intro: {amount: 500, periods: 2}}
      - {id: staff, every: year, amount: 10000, segments: [staff], countries: [DE]}
      - {id: dinars, every: month, amount: 3000, money: KWD}
rewards:
  - {id: mug, kind: product, name: Mug, cost: {currency: points, amount: 10}, tiers: [gold]}
  - {id: half, kind: discount, name: Half, discount: code, voucher: {}}
  - {id: cash, kind: cash, name: Cash, cost: {currency: points, amount: 5}, worth: 10}
exchanges:
  - {id: swap, source: points, take: 10, target: credit, give: 1}
conversions:
  - {exchange: swap, days: ["02-10"]}
join: {}
referrals:
  qualifies: {activity: {type: run, if: {when: indoor}}}
  advocate: {currency: points, amount: 5}
  friend: {reward: half, at: enrolled}
  steps: [{from: 2, amount: 6}, {from: 3, amount: 7}]
  milestones: [{at: 5, currency: credit, amount: 1}, {at: 9, currency: credit, amount: 1}]
  caps: [{times: 32, per: lifetime}, {amount: 100, per: month}]
  for: [{tiers: [gold], advocate: {currency: points, amount: 9}}]
  starts: "2027-01-01"
  ends: "2027-12-31"
  checks: {same_name: soft, velocity: {check: hard, most: 9, days: 7}}
  share: {text: {en: "Come: {link}"}}
  partners:
    ANNA10: {name: Anna, friend: {currency: points, amount: 3}, ends: "2027-06-30", most: 9}
ends: {last_day_to_earn: "2028-01-01", last_day_to_redeem: "2028-06-30"}
""")

BAD = (
    """
money = XXX | is not a currency of ISO 4217
money = 5 | str
time_zone = Mars/Olympus | is not a time zone
nonsense = 1 | is not a part of a program
currencies = {} | length
currencies.points.expires.days = 3 | exactly one of days, months and years
currencies.points.expires.not_in_tiers = [iron] | iron is not one of the tiers
currencies.points.expires.months = 0 | >= 1
currencies.points.money = true; currencies.points.goal = 8 | money has no places
currencies.points.clawback = maybe | maybe
earn[0].currency = gold | gold is not one of the currencies
earn[0].per = 0 | >= 1
earn[0].give = -1 | >= 1
earn[0].kind = per_moon | per_moon
earn[0].colour = red | unknown field
earn[0].id = alone | another earn rule is called alone
earn[0].id = "A b" | regex
earn[0].include = {} | names no SKU
earn[0].group = two | two is not one of the groups
earn[0].campaign = circus | circus is not one of the campaigns
earn[0].if = {} | says nothing
earn[0].if.tiers = [iron] | iron is not one of the tiers
earn[0].if.segments = [ghosts] | ghosts is not one of the segments
earn[0].if.max_total = 50 | is above max_total
earn[0].if.hours = {from: "10:00", to: "10:00"} | is no time at all
earn[0].if.hours = {from: "25:00", to: "26:00"} | regex
earn[0].if.weekdays = [someday] | someday
earn[0].if.dates = {from: "2027-02-30"} | is no day of the calendar
earn[0].if.dates = {from: "2027-03-01", to: "2027-02-01"} | lies before from
earn[0].if.dates = {from: "0027-03-01"} | lies outside 1990 to 2199
earn[0].if.purchase = {} | exactly one of exactly and every
earn[0].if.any = [] | is empty
earn[0].if.not = {tiers: [iron]} | iron is not one of the tiers
earn[0].if.when = "total >" | cannot be read
earn[0].if.when = "total + 1" | is a number, not true or false
earn[0].if.when = "total > 'much'" | does not type
earn[0].if.when = "total / 2 > 1" | there are + - * // %
earn[0].if.when = "total // 0 > 1" | a divisor is a number that is not zero
earn[0].if.when = "total // units > 1" | a divisor is a number that is not zero
earn[0].if.when = "age > 18" | age is not known
earn[0].if.when = "open('x') == 1" | is no part of this language
earn[0].if.when = "total.real > 1" | is no part of this language
earn[0].if.when = "[x for x in skus] == []" | is no part of this language
earn[0].if.when = "'a' in channel" | does not type
earn[0].if.when = "1.5 < total" | is no whole number
earn[0].caps = [{per: day}] | exactly one of points and times
earn[0].caps = [{per: order, times: 1}] | a rule pays once per order anyway
earn[0].caps = [{per: day, points: 1}, {per: day, points: 2}] | another cap of the rule
earn[0].carry_remainder = true; earn[0].rounding = ceiling | never rounded
earn[0].carry_remainder = true; earn[0].caps = [{per: day, points: 1}] | cannot carry one
earn[1].per = 2 | nothing to divide
earn[1].carry_remainder = true | nothing to divide
earn[0].stacking = exclusive | base is exclusive too
earn[2].activity = swim | swim is not one of the activities
earn[2].property = place | place is no number of run
earn[2].include = {skus: [a]} | has no lines
earn[3].after_days = null | belongs to inactivity, which needs it
earn[3].year = 2 | belongs to an anniversary
earn[3].campaign = gift | asks no budget
earn[3].caps = [{per: year, times: 1}] | a day comes once anyway
multipliers[0].rules = [nobody] | nobody is not one of the earn rules
multipliers[0].currency = credit | base gives points
multipliers[0].percent = 0 | >= 1
multipliers[0].campaign = gift | give it an earn rule
campaigns.fair.ends = "2026-12-31" | lies before starts
campaigns.fair.holdout_percent = 100 | <= 99
campaigns.gift.budget = {} | exactly one of points and times
campaigns.idle = {} | belongs to it
counters.spend.window = fortnight | fortnight
counters.spend.window = {} | names exactly one window
counters.spend.currency = points | belongs to a counter of points
counters.stars.currency = null | is missing
counters.stars.currency = gold | gold is not one of the currencies
counters.meters.activity = swim | swim is not one of the activities
counters.meters.property = place | is no number of run
tiers.levels[1].at_least = {nights: 3} | nights is not one of the counters
tiers.levels[1].at_least = {stars: 3} | has no periods
tiers.levels[1].at_least = {} | only the lowest tier
tiers.levels[2].at_least = {spend: 5000} | asks for no more than gold
tiers.levels[2].at_least = {spend: 10000} | asks for no more than gold
tiers.levels[2].id = gold | another tier is called gold
tiers.kept_months = 3 | to the end of the next period already
segments.staff = {} | says nothing
segments.staff = {segments: [staff]} | is defined by itself
segments.staff = {segments: [x]}; segments.x = {not: {segments: [staff]}} | is defined by itself
segments.lively.counters = {moons: {at_least: 1}} | moons is not one of the counters
segments.lively.counters = {stars: {at_least: 5, at_most: 4}} | at_least is above at_most
segments.lively.last = {counter: stars} | neither within_days nor over_days
discounts[0].percent = 0 | >= 1
discounts[0].percent = 101 | <= 100
discounts[0].percent = 2.5 | got float
discounts[0].group = two | two is not one of the groups
discounts[0].id = code | another discount is called code
discounts[0].by_code = true | no reward and no code names it
discounts[1].by_code = false | is given without a code
discounts[2].counter = moons | moons is not one of the counters
discounts[2].steps = [{at: 1, above: 1, percent: 1}] | exactly one of at and above
discounts[2].steps = [{at: 200, percent: 1}, {at: 100, percent: 2}] | is not above the step
discounts[2].grows = {percent: 1, every: 5, at_most: 2} | is not above the last step
access[0].since = "2027-02-31T10:00:00Z" | no moment of the calendar
access[0].early = [{since: "2027-02-02T10:00:00Z"}] | is not before everybody can buy
codes.WELCOME.discount = ten | is given without a code
codes.welcome = {discount: code, uses: 1} | regex
plans.prime.welcome.currency = gold | gold is not one of the currencies
plans.prime.grace.benefits = [lounge, bar] | bar is no benefit of the plan
plans.prime.grace.days = 61 | <= 60
plans.prime.prices = [] | length
plans.prime.prices[0].id = staff | another price is called staff
plans.prime.prices[0].every = week | week
plans.prime.prices[0].amount = 0 | >= 1
plans.prime.prices[0].amount = 9.99 | got float
plans.prime.prices[0].money = XXX | is not a currency of ISO 4217
plans.prime.prices[0].intro.amount = 1000 | is not below the price
plans.prime.prices[1].intro = {amount: 1, periods: 2} | only the first can be lower
plans.prime.prices[1].segments = [ghosts] | ghosts is not one of the segments
plans.prime.prices[1].countries = [Germany] | regex
plans.prime.prices[1].countries = [] | length
plans.prime.prices[2].amount = 3001 | only whole hundredths can be charged
plans.prime.prices[2].intro = {amount: 2999} | only whole hundredths can be charged
plans.prime.trial_days = -1 | >= 0
plans.prime.trial_days = 731 | <= 730
plans.prime.refunds.withdrawal_days = {Germany: 14} | regex
plans.prime.refunds.less_benefits.days = 0 | >= 1
plans.prime.disputed = ignore | ignore
plans.prime.colour = red | unknown field
rewards[0].plans = [ghost] | ghost is not one of the plans
earn[0].if.plans = [ghost] | ghost is not one of the plans
rewards[0].cost.currency = gold | gold is not one of the currencies
rewards[0].tiers = [iron] | iron is not one of the tiers
rewards[0].segments = [ghosts] | ghosts is not one of the segments
rewards[0].available = {from: "2027-03-01", to: "2027-02-01"} | lies before from
rewards[1].voucher = null | is missing
rewards[1].discount = nothing | nothing is not one of the discounts
rewards[2].cost = null | is missing
rewards[2].at_most_percent = 101 | <= 100
exchanges[0].target = points | is the source itself
exchanges[0].take = 0 | >= 1
referrals.qualifies = {} | names exactly one of order and activity
referrals.qualifies.order = {min_total: 5} | names exactly one of order and activity
referrals.qualifies.activity.type = swim | swim is not one of the activities
referrals.qualifies.activity.if = {when: "indoor + 1 > 1"} | does not type
referrals.qualifies.activity.within_days = 0 | >= 1
referrals.advocate.currency = gold | gold is not one of the currencies
referrals.advocate.reward = mug | names a currency and an amount, or a reward
referrals.advocate = {currency: points} | names a currency and an amount, or a reward
referrals.advocate.amount = 0 | >= 1
referrals.friend.reward = nothing | nothing is not one of the rewards
referrals.friend.reward = mug | mug is no voucher of a thing
referrals.friend.reward = cash | cash is no voucher of a thing
referrals.friend.at = someday | someday
referrals.caps = [{times: 3, per: month}] | made-up friends would take it without end
referrals.caps[1] = {per: month} | names exactly one of times and amount
referrals.caps[1] = {times: 3, per: lifetime} | another cap is for it
referrals.advocate = {reward: half}; referrals.caps = [{amount: 3}] | the advocate gets no points
referrals.steps = [{from: 1, amount: 6}] | >= 2
join = null | the links of referrals lead there
referrals.steps = [{from: 3, amount: 6}, {from: 3, amount: 7}] | is not above the one before
referrals.advocate = {reward: half} | the advocate gets no points
referrals.milestones[0].currency = gold | gold is not one of the currencies
referrals.milestones[1].at = 5 | another milestone is there
referrals.for = [{friend: {currency: points, amount: 1}}] | says for whom
referrals.for[0].tiers = [iron] | iron is not one of the tiers
referrals.for[0].segments = [ghosts] | ghosts is not one of the segments
referrals.for[0].plans = [club] | club is not one of the plans
referrals.for[0].advocate.currency = credit | is not that of everybody
referrals.starts = "2027-02-30" | is no day of the calendar
referrals.ends = "2026-12-31" | lies before starts
referrals.reversed = friend | friend
referrals.checks.same_name = maybe | maybe
referrals.checks.velocity = {most: 0} | >= 1
referrals.checks.same_moon = hard | unknown field
referrals.share.text = {de: "Komm: {link}"} | has no text in en
referrals.partners.ANNA10.friend.currency = gold | gold is not one of the currencies
referrals.partners.ANNA10.starts = "2027-07-01" | lies before starts
referrals.partners.ANNA10 = {name: Anna} | is missing: made-up friends
referrals.partners.anna = {name: Anna} | regex
referrals.advocate = null; referrals.friend = null; referrals.partners = {} | gives nobody anything
conversions[0].exchange = nothing | nothing is not one of the exchanges
conversions[0].days = ["02-29"] | no day of every year
ends.last_day_to_redeem = "2027-01-01" | lies before last_day_to_earn
languages = [de]; currencies.points.label = {en: Points} | has no text in de
languages = [de]; rewards[0].name = {de: Becher} | has no text in en
languages = [deutsch] | regex
terms = [{version: a, since: "2027-01-01"}, {version: a, since: "2028-01-01"}] | is called a
privacy = [{version: a, since: "2027-01-01"}, {version: b, since: "2027-01-01"}] | is not after
terms = [{version: a, since: "2027-13-01"}] | is no day of the calendar
counters.a = {of: units, window: LONG}; counters.b = {of: orders, window: LONG} | than 4096
""".replace("LONG", "{rolling_days: 400}")
    .strip()
    .splitlines()
)


def _set(document: Any, path: str, value: Any) -> None:
    steps = [int(one) if one.isdigit() else one for one in re.split(r"[.\[\]]+", path) if one]
    for step in steps[:-1]:
        document = document[step]
    if value is None and isinstance(document, dict):
        document.pop(steps[-1], None)
    else:
        document[steps[-1]] = value


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(memory_store())


def _publish(shop: Shop, document: dict[str, Any]) -> Any:
    text = yaml.safe_dump(document, sort_keys=False)
    return shop.call("POST", "/v1/programs", text, headers={"content-type": "application/yaml"})


def test_the_good_one_is_published() -> None:
    reply = _publish(Shop(memory_store()), GOOD)
    assert reply.status == 201, reply.raw


def test_there_are_enough() -> None:
    assert len(set(BAD)) >= 100


@pytest.mark.parametrize("case", BAD)
def test_a_bad_one_is_refused_with_line_and_reason(shop: Shop, case: str) -> None:
    changes, _, reason = case.rpartition(" | ")
    document = deepcopy(GOOD)
    for change in changes.split("; "):
        path, _, value = change.partition(" = ")
        _set(document, path, yaml.safe_load(value))
    reply = _publish(shop, document)
    assert (reply.status, reply.code) == (422, "invalid_program"), reply.raw
    errors = reply.json["errors"]
    told = [one for one in errors if reason in one["reason"]]
    assert told, errors
    assert told[0]["field"]
    assert told[0]["line"] >= 1
