"""Weighted words for labels that are known by name: a bank's support topics, and sentiment.

The weights were written by reading customer messages. A term is a word or two neighbouring words; endings do not
matter. A text's score for a label is the sum of the weights of the terms in it.
"""

from __future__ import annotations

from collections.abc import Mapping

REST = frozenset({"neutral", "other", "others", "none", "unknown", "general", "misc", "miscellaneous"})
"""Labels for whatever fits nowhere else."""

_FRAUD = {
    "stolen": 6, "stole": 6, "lost": 5, "lost card": 2, "theft": 6, "missing": 2, "mugged": 6, "robbed": 6,
    "misplaced": 4, "fraud": 7, "fraudulent": 7, "fraudulently": 7, "hacked": 6, "compromised": 6, "scam": 6,
    "unauthorized": 6, "unauthorised": 6, "suspicious": 5, "someone": 3, "somebody": 3, "someone else": 3,
    "without permission": 5, "permission": 3, "recognise": 5, "recognize": 5, "don't recognise": 2,
    "unfamiliar": 5, "unknown": 3, "strange": 4, "didn't make": 6, "did not make": 3, "never made": 5, "not mine": 6,
    "isn't mine": 6, "wasn't me": 6, "not me": 5, "not make": 4, "not do": 3, "didn't do": 5, "authorize": 4,
    "authorise": 4, "freeze": 4, "phone": 5, "my phone": 2, "wallet": 4, "direct debit": 4, "debit": 1,
    "don't remember": 3, "don't recall": 4, "i've lost": 2, "can't find": 3, "find card": 1, "block card": 2,
    "made payment": 0, "dispute": 3, "took money": 3, "taken out": 2, "didn't withdraw": 5, "never withdrew": 6,
    "card used": 2, "using card": 1, "police": 5, "never bought": 5, "didn't buy": 4, "leaked": 4, "security": 2,
    "did i": 0.5, "i did": 0.5, "didn't request": 3, "setup": 0.5, "didn't set": 4, "not set": 3, "dont recognize": 3,
    "is gone": 3,
}  # fmt: skip

_CARDS = {
    "card": 2, "virtual": 5, "disposable": 6, "physical": 5, "physical card": 2, "activate": 6, "activation": 6,
    "new card": 2, "order card": 2, "order": 1, "mail": 3, "delivery": 4, "deliver": 4, "delivered": 3, "arrive": 4,
    "arrival": 5, "track": 4, "tracking": 4, "shipping": 4, "sent": 1, "contactless": 7, "pin": 4, "unblock": 5,
    "expire": 6, "expired": 6, "expiration": 6, "expiry": 6, "link": 4, "linking": 4, "re add": 5, "spare": 5,
    "second card": 3, "another card": 3, "extra card": 3, "additional card": 4, "visa": 4, "mastercard": 5,
    "card isn't": 2, "card not": 2, "card work": 2, "not working": 1, "doesn't work": 1, "work": 0.5, "use card": 2,
    "card accepted": 4, "accept card": 3, "my card": 1, "get card": 3, "receive card": 3, "where card": 2,
    "express": 0.5, "address": -0.5, "replace": 2, "blocked": 2, "locate": 2, "merchant": 0.5, "stores": 1,
    "places": 1, "how many": 1, "post": 1.5, "postal": 2, "chip": 3, "broken": 1.5, "card broken": 3, "ship": 3,
    "cards": 1, "card for": 1, "daughter": -1, "shops": 1.5, "use this": 1, "card anywhere": 3, "number": 0.5,
    "found card": 4, "found my": 4, "put card": 2, "into the": 0.3, "view card": 2, "add card": 2, "the app": 0.5,
}  # fmt: skip

_PAYMENTS = {
    "refund": 7, "refunded": 7, "declined": 2, "card payment": 4, "payment": 3, "twice": 5, "double": 4,
    "duplicate": 6, "charged twice": 4, "reverted": 2, "cancel": 1, "cancelled": 1, "purchase": 4, "bought": 3,
    "item": 3, "merchant": 3, "seller": 4, "store": 2, "shop": 2, "restaurant": 2, "returned": 3, "return": 2,
    "pending": 1, "payment pending": 2, "pending payment": 2, "payment declined": 3, "card declined": 4,
    "payment reverted": 3, "payment cancelled": 3, "pay": 1.5, "multiple times": 3, "charged multiple": 3,
    "two times": 4, "more than": 0.5, "product": 3, "package": 4, "ordered": 2, "money back": 4, "statement": 0.5,
    "same": 1.5, "same transaction": 3, "1 pound": 1, "online": 2, "goods": 3, "order": 1.5, "buy": 2, "paid": 1,
    "two charges": 4, "transaction": 1, "payment still": 1, "went through": 0.5,
}  # fmt: skip

_CASH = {
    "atm": 6, "atms": 6, "cash machine": 6, "machine": 4, "withdraw": 5, "withdrawal": 5, "withdrawl": 5,
    "withdrew": 5, "cash": 4, "get cash": 2, "cash withdrawal": 2, "cashpoint": 6, "swallowed": 7, "ate": 6,
    "stuck": 4, "retained": 5, "kept card": 5, "dispense": 5, "dispensed": 5, "wrong amount": 5, "only got": 3,
    "less cash": 4, "money out": 3, "cash out": 2, "asked for": 3, "amount cash": 3, "gave me": 4, "eaten": 6,
    "withdrawing": 5, "keeps card": 3, "took card": 4, "took my": 3, "my card": 0.5, "requested": 2, "stole my": -1,
    "got": 0.5, "notes": 2,
}  # fmt: skip

_TRANSFERS = {
    "transfer": 7, "transfers": 7, "transferred": 7, "transferring": 7, "tranfer": 7, "beneficiary": 8, "recipient": 7,
    "salary": 6, "paycheck": 6, "wages": 5, "bank transfer": 3, "send money": 5, "sent money": 5, "receive money": 4,
    "wrong account": 5, "landlord": 4, "rent": 3, "friend": 2, "family": 2, "account number": 2, "receive payment": 3,
    "money transaction": 4, "hit my": 1, "uk account": 3, "china": 2.5, "transaction failed": 3, "paid in": 2,
    "another account": 3, "send": 2, "sending": 2, "receiver": 5, "received": 1, "europe": 1, "payment from": 1,
    "move money": 3, "how long": 1, "undo": 3, "revert": 1, "cancel transaction": 4, "a transaction": 1.5,
    "money into": 1, "deposit": 0, "business days": 2, "urgent": 0.5, "crypto": 3, "cryptocurrency": 3,
}  # fmt: skip

_TOP_UPS = {
    "top": 7, "top up": 4, "topup": 10, "topped": 7, "topping": 7, "topping up": 4, "auto": 4, "automatically": 2,
    "apple": 8, "google": 8, "apple pay": 3, "google pay": 3, "watch": 3, "cheque": 7, "check": 0.5, "deposit": 5,
    "deposited": 5, "add money": 6, "add funds": 6, "funds to": 1, "load": 3, "reload": 5, "refill": 5,
    "running out": 2, "cash deposit": 4, "cheque deposit": 3, "american express": 4, "cards and": 4, "add": 1,
    "currencies accepted": 2, "use credit": 2, "verification code": 6, "code": 2, "credit card": 1.5,
    "balance": 1, "supported cards": 4, "cards supported": 4, "which cards": 5, "what cards": 5, "cash to": 2,
    "with cash": 2, "put money": 4, "cards can": 2, "card and": 0.5,
}  # fmt: skip

_FEES = {
    "fee": 8, "fees": 8, "extra": 2, "exchange": 7, "exchange rate": 4, "rate": 6, "rates": 6, "currency": 5,
    "currencies": 5, "charge": 4, "charged": 3, "charges": 4, "charging": 4, "extra charge": 3, "foreign": 4,
    "conversion": 5, "convert": 5, "cost": 4, "how much": 2, "free": 3, "1": 0.3, "pound": 1.5, "extra pound": 5,
    "gbp": 5, "aud": 5, "usd": 4, "eur": 4, "euro": 3, "euros": 3, "dollar": 2, "dollars": 2, "ruble": 4, "discount": 5,
    "fiat": 7, "swift": 6, "sepa": 6, "abroad": 3, "overseas": 1.5, "another country": 2, "interbank": 6,
    "european bank": 4, "charged more": 3, "charged for": 3, "charged extra": 3, "charged twice": -4, "for using": 2,
    "different currency": 3, "1 fee": 3, "why was": 1, "charged a": 2, "cash back": 0, "weird charge": 3, "price": 3,
    "hold money": 3, "charged fee": 2, "international": 2, "commission": 5, "crypto": -1, "multiple": -0.5,
}  # fmt: skip

_ACCOUNT = {
    "identity": 9, "identify": 7, "identification": 8, "verify": 6, "verification": 4, "verifying": 6, "verified": 6,
    "verify top": -8, "source": 6, "source of": 3, "source funds": 6, "passcode": 10, "password": 9, "log in": 6,
    "login": 7, "account": 1.5, "delete": 7, "close": 5, "close account": 4, "terminate": 8, "delete account": 4,
    "open account": 6, "open an": 5, "age": 8, "old": 6, "child": 8, "children": 8, "kid": 7, "kids": 7, "son": 5,
    "daughter": 6, "minor": 6, "under 18": 6, "18": 5, "country": 3, "countries": 6, "eu": 5, "us": 1, "support": 1,
    "address": 6, "name": 4, "last name": 4, "married": 6, "moved": 4, "details": 3, "personal": 6, "profile": 6,
    "information": 2, "my info": 4, "change my": 2, "documents": 5, "prove": 5, "id": 6, "my id": 2, "relocated": 5,
    "update my": 2, "reset": 3, "forgot": 5, "forgotten": 5, "pin": -4, "edit": 5, "live": 4, "located": 2,
    "come from": 4, "where funds": 3, "code": 1, "unhappy": 2, "teenager": 7, "youngest": 7, "cancel account": 7,
    "deactivate": 6, "leave": 2, "service": 1, "phone number": 3, "identity check": 3, "uk": 1.5, "operate": 5,
    "minimum": 2, "funds came": 4, "funds from": 3, "access": 2, "who i": 2, "not in": 1, "who": 1,
}  # fmt: skip

_POSITIVE = {
    "thanks": 2, "thank": 2, "love": 3, "great": 3, "good": 1.5, "excellent": 4, "amazing": 4, "happy": 3,
    "perfect": 3, "awesome": 4, "appreciate": 3, "wonderful": 4, "nice": 2, "best": 2, "like to": 0,
    "glad": 3, "excited": 3, "enjoy": 2, "helpful": 2, "not happy": -4, "not good": -3, "no good": -3,
    "not helpful": -3,
    "looking forward": 1.5, "recommend": 2, "easy": 1, "interested": 1.5, "unhappy": -2,
}  # fmt: skip

_NEGATIVE = {
    "not": 0.8, "didn't": 1.3, "doesn't": 1.3, "don't": 0.6, "isn't": 1.3, "won't": 1.5, "can't": 1.2, "cannot": 1.2,
    "wasn't": 1.3, "hasn't": 1.3, "haven't": 1.2, "couldn't": 1.3, "wouldn't": 1.2, "unable": 1.5, "wrong": 2,
    "problem": 2, "issue": 1.5, "trouble": 2, "fail": 2, "failure": 2, "declined": 2, "rejected": 2,
    "denied": 2, "refused": 2, "stolen": 3, "stole": 3, "lost": 2.5, "missing": 2, "fraud": 3, "fraudulent": 3,
    "scam": 3, "hacked": 3, "compromised": 3, "suspicious": 2, "swallowed": 2.5, "ate": 2, "stuck": 2, "broken": 2,
    "angry": 3, "upset": 3, "ridiculous": 4, "terrible": 4, "awful": 4, "unacceptable": 4, "frustrated": 3,
    "disappointed": 3, "unhappy": 3, "hate": 3, "worst": 4, "damn": 3, "annoyed": 3, "worried": 2, "concerned": 2,
    "worry": 1, "urgent": 1.5, "urgently": 1.5, "asap": 1.5, "immediately": 1, "help": 0.4, "error": 1.5, "never": 1.2,
    "still": 1, "waiting": 1, "too long": 1.5, "delay": 1.5, "twice": 1, "double": 1, "extra": 0.6, "blocked": 1.2,
    "cancelled": 1, "reverted": 1, "forgot": 1, "unauthorized": 2.5, "no longer": 1, "keeps": 0.8, "enough": 0.8,
    "why was": 0.8, "disappeared": 2, "weird": 1, "strange": 1.2, "thief": 3, "mistake": 1.2, "expensive": 1.5,
    "incorrect": 1.5, "without permission": 2, "bad": 2, "disappointing": 3, "sad": 2, "poor": 2, "slow": 1.5,
    "not up": 1.5, "confused": 1, "no idea": 0.5,
}  # fmt: skip

RULES: Mapping[str, Mapping[str, float]] = {
    "fraud_and_theft": _FRAUD,
    "cards": _CARDS,
    "card_payments": _PAYMENTS,
    "cash_and_atm": _CASH,
    "transfers": _TRANSFERS,
    "top_ups": _TOP_UPS,
    "fees_and_rates": _FEES,
    "account_and_identity": _ACCOUNT,
    "positive": _POSITIVE,
    "negative": _NEGATIVE,
    "neutral": {"": 0},
}
"""Label to terms. `neutral` has none of its own: it wins when nothing else is said."""
