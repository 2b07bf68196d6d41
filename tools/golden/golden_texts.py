"""The 200 texts of the golden file: written for it by hand, or drawn from a seeded generator."""
import random

WRITTEN = [
    "", " ", "\n\t \r\n", ".", "a", "?!", "0", "\u200b", "\ufffd", "\x00\x07",
    "The kettle whistles while the rain taps on the window.",
    "Please move my appointment from Tuesday to Thursday afternoon.",
    "Invoice 2024-0117 is overdue by 14 days; the total is 1,299.50 EUR.",
    "Can I pay with two cards, or must the whole amount go on one?",
    "THE TRAIN TO THE COAST IS CANCELLED TODAY",
    "tHe TrAiN tO tHe CoAsT iS cAnCeLlEd ToDaY",
    "A model of seven tables shares one drawer of screws.",
    "No. Never. Not even once!",
    "Don't you think it's the neighbours' dog's lead?",
    "state-of-the-art re-entry co-operation e-mail well-being",
    "She said: \u201cbring the \u2018small\u2019 ladder\u201d \u2014 and left\u2026",
    "caf\u00e9 na\u00efve fa\u00e7ade cr\u00e8me br\u00fbl\u00e9e \u00e0 la carte",
    "cafe\u0301 nai\u0308ve fac\u0327ade",
    "Stra\u00dfe, \u00c4pfel, \u00d6fen, \u00dcbung, GROSSE STRASSE",
    "\u017b\u00f3\u0142ta \u0142\u00f3d\u017a p\u0142ynie po rzece",
    "\u0130stanbul ve Isparta aras\u0131nda \u0131\u015f\u0131k",
    "\u039f \u03c3\u03ba\u03cd\u03bb\u03bf\u03c2 \u03ba\u03bf\u03b9\u03bc\u03ac\u03c4\u03b1\u03b9. \u039f\u0394\u039f\u03a3",
    "\u0421\u043e\u0431\u0430\u043a\u0430 \u0441\u043f\u0438\u0442 \u0443 \u0434\u0432\u0435\u0440\u0438, \u0451\u043b\u043a\u0430 \u0441\u0442\u043e\u0438\u0442 \u0432 \u0443\u0433\u043b\u0443.",
    "\u4eca\u5929\u7684\u96e8\u5f88\u5927\uff0c\u8bf7\u5e26\u4f1e\u3002",
    "\u6771\u4eac\u306e\u671d\u306f\u9759\u304b\u3067\u3059\u3002\u30b3\u30fc\u30d2\u30fc\u3092\u98f2\u3080\u3002",
    "\uc624\ub298\uc740 \ub0a0\uc528\uac00 \ub9d1\uc2b5\ub2c8\ub2e4",
    "mixed \u4e2d\u6587 and English \u6df7\u5408 text\u3002",
    "\U00020000\U0002a6d6 rare ideographs \U0002f800",
    "\u0627\u0644\u0642\u0637\u0629 \u062a\u0646\u0627\u0645 \u0639\u0644\u0649 \u0627\u0644\u0643\u0631\u0633\u064a",
    "\u05d4\u05d7\u05ea\u05d5\u05dc \u05d9\u05e9\u05df \u05e2\u05dc \u05d4\u05db\u05d9\u05e1\u05d0",
    "\u092c\u093f\u0932\u094d\u0932\u0940 \u0915\u0941\u0930\u094d\u0938\u0940 \u092a\u0930 \u0938\u094b\u0924\u0940 \u0939\u0948",
    "\u0e41\u0e21\u0e27\u0e19\u0e2d\u0e19\u0e1a\u0e19\u0e40\u0e01\u0e49\u0e32\u0e2d\u0e35\u0e49",
    "\U0001f600 what a day \U0001f680\U0001f680",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 flag \U0001f1e9\U0001f1ea thumb \U0001f44d\U0001f3fd",
    "\u2764\ufe0f and \u2764 are not the same bytes",
    "x\u00b2 + y\u00b2 = r\u00b2, \u00bd of \u2167 is \u2163, \u221a2 \u2248 1.41421356",
    "3.14159 -42 +7 1e-9 0xFF 0b1010 1_000_000 1/3 50% $19.99 \u20ac5 \u00a33",
    "00000000000000000000000000000000",
    "192.168.0.1:8080 fe80::1 00:1A:2B:3C:4D:5E",
    "2026-11-22T08:30:00Z, 22.11.2026, 11/22/26, 8:30 a.m.",
    "https://example.org/path/to?x=1&y=%20two#part and someone@example.org",
    "def area(r):\n    return 3.14 * r ** 2  # square of the radius\n",
    "const total = items.filter((i) => i.open).reduce((a, i) => a + i.price, 0);",
    "SELECT name, COUNT(*) FROM visits WHERE day >= '2026-01-01' GROUP BY name;",
    "{\"name\": \"lamp\", \"tags\": [\"red\", null, 3], \"on\": true}",
    "<p class=\"note\">Mind the <b>gap</b> &amp; the step</p>",
    "for i in *.log; do grep -c ERROR \"$i\" | sort -n; done",
    "a\\b\\\\c \"quoted\" 'single' `back` ~tilde^caret|pipe",
    "[CLS] [SEP] [MASK] [PAD] [UNK] are only words here",
    "[cls] is not [CLS], nor is [ SEP ]",
    "##ing ##ed ## #tag @name",
    "\ufeffa mark of byte order stands first",
    "soft\u00adhyphen zero\u200bwidth non\u00a0breaking thin\u2009space ideographic\u3000space",
    "line\u2028separator paragraph\u2029separator vertical\x0btab form\x0cfeed",
    "control\x01characters\x1finside\x7fwords\x85here",
    "\ufb01ne \ufb02ow \uff26\uff35\uff2c\uff2c \uff57\uff49\uff44\uff54\uff48 \u2460\u2461\u2462",
    "Z\u0351\u0343\u030d\u0321a\u0348\u033a\u0306l\u0333\u0301\u0316g\u0324\u0342o",
    "a" * 99, "a" * 100, "a" * 101, "ab" * 150, "word" * 200,
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "qwrtpsdfghjklzxcvbnm xkcdqzv bnmplkj",
    "no no no no no no no no no no no no no no no no",
    "go " * 300, "\u00e9 " * 280, "! " * 260, "\u4e2d" * 254, "\u4e2d" * 255, "\u6587" * 300,
    "cat " * 253 + "dog", "cat " * 254 + "dog", "cat " * 255 + "dog", ("cat " * 254).strip(),
    "....................................................................",
    "- - - - - \u2013 \u2013 \u2013 \u2014 \u2014 \u2014 _ _ _",
    "   leading and trailing spaces   ",
    "many\n\n\nlines\n\n\nand\ttabs\t\there",
]

SUBJECTS = "gardener pilot teacher baker nurse farmer painter clerk captain child engineer fox".split()
VERBS = "carries paints repairs forgets measures sells borrows counts hides studies drops".split()
OBJECTS = "ladder violin kettle bridge letter engine blanket harbour recipe window signal".split()
MANNERS = "slowly gladly twice today indoors without-hurry badly alone again quietly".split()
LINKS = ["and", "because", "although", "while", "so", ", then", "; still"]
TAILS = [".", "!", "?", "...", ""]


def sentence(draw: random.Random) -> str:
    adjective = draw.choice(["old", "green", "broken", "quiet", "7th", "heavy", "half-open", ""])
    words = ["the", draw.choice(SUBJECTS), draw.choice(VERBS), "the", adjective, draw.choice(OBJECTS)]
    if draw.random() < 0.5:
        words.append(draw.choice(MANNERS))
    return " ".join(word for word in words if word)


def passage(draw: random.Random, count: int) -> str:
    parts = []
    for index in range(count):
        text = sentence(draw)
        if index > 0 and draw.random() < 0.4:
            parts[-1] = parts[-1].rstrip(".!?")
            text = f"{draw.choice(LINKS)} {text}"
        else:
            text = text.capitalize()
        parts.append(text + draw.choice(TAILS))
    return " ".join(parts)


def noise(draw: random.Random, count: int) -> str:
    """Random characters of the planes that hold text, surrogates left out."""
    ranges = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x4E00, 0x9FFF),
              (0x1F300, 0x1F6FF), (0x2000, 0x206F), (0xAC00, 0xD7A3)]
    return "".join(chr(draw.randint(*draw.choice(ranges))) for _ in range(count))


def golden_texts() -> list[str]:
    draw = random.Random(20261122)
    texts = list(WRITTEN)
    for count in (4, 9, 17, 33, 64, 120, 200, 400):
        texts.append(noise(draw, count))
    for count in (40, 45, 50, 60, 80, 120):  # longer than 256 tokens
        texts.append(passage(draw, count))
    while len(texts) < 200:
        texts.append(passage(draw, 1 + len(texts) % 12))
    return texts
