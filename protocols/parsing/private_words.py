"""Name private words and ratings in the languages that models write, for privacy.py.

Stems in small letters: an ending of up to three letters may follow, a possessive go before.
"""

from __future__ import annotations

# Names of thoughts, by language.
THOUGHTS_IN_WORDS = {
    "Arabic": "أفكار تفكير خواطر",
    "Chinese": "思考 思路 内心 心理活动 想法 內心 独白",
    "Dutch": "gedachten overwegingen",
    "French": "pensées réflexion raisonnement",
    "German": "gedanken überlegung gedankengang selbsteinschätzung",
    "Hindi": "विचार सोच",
    "Indonesian": "pikiran pemikiran",
    "Italian": "pensieri ragionamento riflession",
    "Japanese": "考え 内省 心の声 思考",
    "Korean": "생각 속마음 사고",
    "Polish": "myśli przemyślenia",
    "Portuguese": "pensamento raciocínio reflexões",
    "Russian": "мысли мысль размышлени рассуждени",
    "Spanish": "pensamiento reflexion razonamiento",
    "Turkish": "düşünce",
    "Vietnamese": "nghĩ",
}
# Adjectives that stand alone as the label of what is not shown.
PRIVATE_IN_WORDS = {
    "English": "private privately internal inner hidden secret confidential",
    "other Latin": "privat intern vertraulich privado interno secreto privé interne privato",
    "other": "приватно личное скрыто 私密 私人 内部 保密 非公開 私的 비공개 خاص سري निजी गुप्त",
}
# Names of a rating of one's own, by language.
RATINGS_IN_WORDS = {
    "Arabic": "تقييم ثقة",
    "Chinese": "评分 评级 信心 置信度 自信 把握 胜率 評分",
    "Dutch": "beoordeling vertrouwen zekerheid",
    "French": "confiance évaluation certitude notation",
    "German": "bewertung zuversicht konfidenz sicherheit einsatz selbstvertrauen",
    "Hindi": "रेटिंग विश्वास आत्मविश्वास",
    "Italian": "fiducia valutazione sicurezza",
    "Japanese": "評価 自信度 確信度 信頼度",
    "Korean": "평점 평가 확신 자신감 신뢰도",
    "Polish": "ocena pewność",
    "Portuguese": "confiança avaliação certeza",
    "Russian": "оценка уверенность рейтинг ставка",
    "Spanish": "confianza calificación valoración certeza apuesta",
    "Turkish": "güven değerlendirme",
}
# What is said in brackets behind a label, where the words under it are for nobody else.
NOT_SHOWN_IN_WORDS = (
    r"private(?:ly)?|internal|hidden|secret|confidential|personal|invisible|unseen|privat|privado"
    r"|not\s(?:to\sbe\s)?(?:shown|public|visible|shared|for|seen|part)|never\sshown"
    r"|(?:only\s)?for\s(?:me|my|myself|own)\b|my\seyes|only\s(?:me|i)\b|to\s(?:my)?self"
    r"|off\sthe\srecord"
)


def either(words: dict[str, str]) -> str:
    """Return the names of a table as alternatives of a pattern, each once, the longest first."""
    names = {name for line in words.values() for name in line.split()}
    return "|".join(sorted(names, key=lambda name: (-len(name), name)))
