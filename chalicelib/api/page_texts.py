"""What our pages say, in the languages they speak. A program's own texts come from its document."""

_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "gone": "This link opens nothing any more. Ask the shop for another one.",
        "later": "Please try again in a minute.",
        "apple": "Add to Apple Wallet",
        "google": "Add to Google Wallet",
        "scan": "Scan this with your phone to put the card into it.",
        "void": "This card is no longer valid.",
        "join": "Join {program}",
        "get_card": "Get my card",
        "optional": "optional",
        "given_name": "First name",
        "family_name": "Last name",
        "email": "E-mail",
        "phone": "Phone",
        "birthday": "Birthday",
        "accept_terms": "I accept the terms of {program}.",
        "terms": "Terms",
        "privacy": "Privacy notice",
        "again": "Please check the form and send it once more.",
        "scan_to_join": "Scan and get your card",
        "share": "Invite friends with your code {code}",
    },
    "de": {
        "gone": "Dieser Link öffnet nichts mehr. Im Geschäft gibt es einen neuen.",
        "later": "Bitte in einer Minute noch einmal versuchen.",
        "apple": "Zu Apple Wallet hinzufügen",
        "google": "Zu Google Wallet hinzufügen",
        "scan": "Mit dem Handy scannen, dann ist die Karte darin.",
        "void": "Diese Karte gilt nicht mehr.",
        "join": "{program}: Mitglied werden",
        "get_card": "Meine Karte holen",
        "optional": "freiwillig",
        "given_name": "Vorname",
        "family_name": "Nachname",
        "email": "E-Mail",
        "phone": "Telefon",
        "birthday": "Geburtstag",
        "accept_terms": "Ich stimme den Bedingungen von {program} zu.",
        "terms": "Bedingungen",
        "privacy": "Datenschutzhinweis",
        "again": "Bitte das Formular prüfen und noch einmal senden.",
        "scan_to_join": "Scannen und Karte holen",
        "share": "Freunde einladen mit dem Code {code}",
    },
    "es": {
        "gone": "Este enlace ya no abre nada. Pide otro en la tienda.",
        "later": "Inténtalo de nuevo dentro de un minuto.",
        "apple": "Añadir a Apple Wallet",
        "google": "Añadir a Google Wallet",
        "scan": "Escanéalo con el móvil para guardar la tarjeta.",
        "void": "Esta tarjeta ya no es válida.",
        "join": "Únete a {program}",
        "get_card": "Obtener mi tarjeta",
        "optional": "opcional",
        "given_name": "Nombre",
        "family_name": "Apellidos",
        "email": "Correo electrónico",
        "phone": "Teléfono",
        "birthday": "Cumpleaños",
        "accept_terms": "Acepto las condiciones de {program}.",
        "terms": "Condiciones",
        "privacy": "Aviso de privacidad",
        "again": "Revisa el formulario y envíalo otra vez.",
        "scan_to_join": "Escanea y consigue tu tarjeta",
        "share": "Invita a amigos con tu código {code}",
    },
    "fr": {
        "gone": "Ce lien n’ouvre plus rien. Demandez-en un autre au magasin.",
        "later": "Veuillez réessayer dans une minute.",
        "apple": "Ajouter à Apple Wallet",
        "google": "Ajouter à Google Wallet",
        "scan": "Scannez avec votre téléphone pour y mettre la carte.",
        "void": "Cette carte n’est plus valable.",
        "join": "Rejoindre {program}",
        "get_card": "Obtenir ma carte",
        "optional": "facultatif",
        "given_name": "Prénom",
        "family_name": "Nom",
        "email": "E-mail",
        "phone": "Téléphone",
        "birthday": "Anniversaire",
        "accept_terms": "J’accepte les conditions de {program}.",
        "terms": "Conditions",
        "privacy": "Confidentialité",
        "again": "Vérifiez le formulaire et envoyez-le de nouveau.",
        "scan_to_join": "Scannez pour obtenir votre carte",
        "share": "Invitez des amis avec votre code {code}",
    },
    "it": {
        "gone": "Questo link non apre più nulla. Chiedine un altro al negozio.",
        "later": "Riprova tra un minuto.",
        "apple": "Aggiungi a Apple Wallet",
        "google": "Aggiungi a Google Wallet",
        "scan": "Scansiona con il telefono per salvare la carta.",
        "void": "Questa carta non è più valida.",
        "join": "Iscriviti a {program}",
        "get_card": "Ottieni la mia carta",
        "optional": "facoltativo",
        "given_name": "Nome",
        "family_name": "Cognome",
        "email": "E-mail",
        "phone": "Telefono",
        "birthday": "Compleanno",
        "accept_terms": "Accetto le condizioni di {program}.",
        "terms": "Condizioni",
        "privacy": "Informativa sulla privacy",
        "again": "Controlla il modulo e invialo di nuovo.",
        "scan_to_join": "Scansiona e ottieni la carta",
        "share": "Invita gli amici con il codice {code}",
    },
}


def texts_in(language: str) -> dict[str, str]:
    """The texts of a language; English ones where we do not speak it."""
    return _TEXTS.get(language.partition("-")[0], _TEXTS["en"])


def language_asked(accept_language: str) -> str:
    """The most wanted language that we speak, else English."""
    asked = (one.partition("-")[0] for one in languages_asked(accept_language))
    return next((one for one in asked if one in _TEXTS), "en")


def languages_asked(accept_language: str) -> list[str]:
    """What a browser asks for, the most wanted first (RFC 9110, section 12.5.4)."""
    wanted = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        name, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, name.strip()))
        except ValueError:
            continue
    return [name for _, _, name in sorted(wanted)]
